-- Switch a data source off: its snapshot stays, but the pointer names none any more.
-- KEYS: current, fence, history   ARGV: 64 random bits in hex, now (ms), channel, actor
-- Returns 1; 0 if it is off already. The switch doesn't expire; no warm that is under way publishes.
local function number_of(version)
  return version and tonumber(string.match(version, '^(%d+)-')) or 0
end
local current = redis.call('GET', KEYS[1])
if current and string.match(current, '^disabled') then return 0 end
local left = redis.call('PTTL', KEYS[1])
local last = math.max(number_of(redis.call('GET', KEYS[2])), number_of(current))
local fence = string.format('%d', last + 1) .. '-' .. ARGV[1]
redis.call('SET', KEYS[2], fence)
local value = 'disabled'
if current and left > 0 then
  value = value .. ':' .. current .. ':' .. string.format('%d', ARGV[2] + left)
end
redis.call('SET', KEYS[1], value)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 500, '*',
  'event', 'disable', 'version', fence, 'at', ARGV[2], 'by', ARGV[4])
redis.call('PUBLISH', ARGV[3], value)
return 1
