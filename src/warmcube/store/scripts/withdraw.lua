-- Invalidate: no snapshot is live or kept, and no warm that is under way can publish.
-- KEYS: current, fence, last_warm, history, kept
-- ARGV: 64 random bits in hex, now (ms), channel, actor
-- Returns the new fence. What is switched off or pinned stays so.
local function number_of(version)
  if not version then return 0 end
  return tonumber(string.match(version, '^(%d+)-') or string.match(version, '^disabled:(%d+)-') or 0)
end
local current = redis.call('GET', KEYS[1])
local last = math.max(number_of(redis.call('GET', KEYS[2])), number_of(current))
local fence = string.format('%d', last + 1) .. '-' .. ARGV[1]
redis.call('SET', KEYS[2], fence)
redis.call('DEL', KEYS[1], KEYS[3], KEYS[5])
if current and string.match(current, '^disabled') then redis.call('SET', KEYS[1], 'disabled') end
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 500, '*',
  'event', 'invalidate', 'version', fence, 'at', ARGV[2], 'by', ARGV[4])
redis.call('PUBLISH', ARGV[3], fence)
return fence
