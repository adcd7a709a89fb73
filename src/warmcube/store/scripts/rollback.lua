-- Make the last superseded snapshot the live one again, and let none but a warm that somebody asks
-- for replace it. No warm that is under way can publish.
-- KEYS: current, fence, last_warm, history, kept, pin, manifest, retired marker
-- ARGV: version, expiry (Unix ms), when it was warmed (ms), 64 random bits in hex, now (ms),
--       channel, actor
-- Returns 'ok', or why not: 'moved' (it isn't the last one any more), 'gone'.
local function number_of(version)
  if not version then return 0 end
  return tonumber(string.match(version, '^(%d+)-') or string.match(version, '^disabled:(%d+)-') or 0)
end
if redis.call('LINDEX', KEYS[5], 0) ~= ARGV[1] then return 'moved' end
if redis.call('EXISTS', KEYS[7]) == 0 or redis.call('EXISTS', KEYS[8]) == 1 then return 'gone' end
local current = redis.call('GET', KEYS[1])
local last = math.max(number_of(redis.call('GET', KEYS[2])), number_of(current))
local fence = string.format('%d', last + 1) .. '-' .. ARGV[4]
redis.call('SET', KEYS[2], fence)
redis.call('LPOP', KEYS[5])
redis.call('SET', KEYS[6], ARGV[7])
if current and string.match(current, '^disabled') then
  redis.call('SET', KEYS[1], 'disabled:' .. ARGV[1] .. ':' .. ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
end
redis.call('SET', KEYS[3], ARGV[3], 'PXAT', ARGV[2])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 500, '*',
  'event', 'rollback', 'version', fence, 'to', ARGV[1], 'at', ARGV[5], 'by', ARGV[7])
redis.call('PUBLISH', ARGV[6], ARGV[1])
return 'ok'
