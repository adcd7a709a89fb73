-- Invalidate: no snapshot is live, and no warm that is under way can publish.
-- KEYS: current, fence, last_warm, history   ARGV: 64 random bits in hex, now (ms), channel, actor
-- Returns the new fence.
local function number_of(version)
  return version and tonumber(string.match(version, '^(%d+)-')) or 0
end
local last = math.max(number_of(redis.call('GET', KEYS[2])), number_of(redis.call('GET', KEYS[1])))
local fence = string.format('%d', last + 1) .. '-' .. ARGV[1]
redis.call('SET', KEYS[2], fence)
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 500, '*',
  'event', 'invalidate', 'version', fence, 'at', ARGV[2], 'by', ARGV[4])
redis.call('PUBLISH', ARGV[3], fence)
return fence
