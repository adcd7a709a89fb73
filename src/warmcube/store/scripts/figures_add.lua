-- Keep one sample of a data source's figures, if nobody has kept one of this minute yet.
-- KEYS: the samples of the last day, those of the days before (streams)
-- ARGV: the minute (ms), the sample, how many of the last day, the distance of the others (ms),
--       how many of these, for how long (ms)
-- Returns 1 if it is kept, else 0
local function latest(key)
  local found = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)
  if #found == 0 then return -1 end
  return tonumber(string.match(found[1][1], '^%d+'))
end
local function add(key, most)
  redis.call('XADD', key, ARGV[1] .. '-0', 's', ARGV[2])
  redis.call('XTRIM', key, 'MAXLEN', most)
  redis.call('PEXPIRE', key, ARGV[6])
end
local minute, distance = tonumber(ARGV[1]), tonumber(ARGV[4])
if latest(KEYS[1]) >= minute then return 0 end
add(KEYS[1], ARGV[3])
local before = latest(KEYS[2])
if before < 0 or math.floor(before / distance) < math.floor(minute / distance) then
  add(KEYS[2], ARGV[5])
end
return 1
