-- Make a snapshot the live one, or the one behind the switch, and keep the one before it for now.
-- KEYS: lock, fence, current, manifest, last_warm, history, kept, pin
-- ARGV: lock value, version, base that it was built on ('' for any), expiry (Unix ms), now (ms),
--       channel, report (JSON)
-- Returns 'ok', or why not: 'lease', 'fence', 'base', 'manifest'.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lease' end
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 'fence' end
local current = redis.call('GET', KEYS[3])
local is_disabled = current and string.match(current, '^disabled') ~= nil
local before = current
if is_disabled then before = string.match(current, '^disabled:([^:]+):') end
if ARGV[3] ~= '' and before ~= ARGV[3] then return 'base' end
if redis.call('EXISTS', KEYS[4]) == 0 then return 'manifest' end
if before and string.match(before, '^%d+%-%x+$') then
  local left = redis.call('PTTL', KEYS[7])
  redis.call('LPUSH', KEYS[7], before)
  redis.call('LTRIM', KEYS[7], 0, 99)
  redis.call('PEXPIREAT', KEYS[7], string.format('%d', math.max(ARGV[4], ARGV[5] + left)))
end
if is_disabled then
  redis.call('SET', KEYS[3], 'disabled:' .. ARGV[2] .. ':' .. ARGV[4])
else
  redis.call('SET', KEYS[3], ARGV[2], 'PXAT', ARGV[4])
end
redis.call('SET', KEYS[5], ARGV[5], 'PXAT', ARGV[4])
redis.call('DEL', KEYS[8])
redis.call('XADD', KEYS[6], 'MAXLEN', '~', 500, '*',
  'event', 'publish', 'version', ARGV[2], 'at', ARGV[5], 'report', ARGV[7])
redis.call('PUBLISH', ARGV[6], ARGV[2])
return 'ok'
