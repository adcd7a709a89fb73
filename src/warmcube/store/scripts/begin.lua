-- Start a warm: hand out a version above every earlier one and make it the fence.
-- KEYS: lock, fence, current, history   ARGV: lock value, 64 random bits in hex, now (ms), holder
-- Returns the version; false if the lease isn't the caller's.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local function number_of(version)
  return version and tonumber(string.match(version, '^(%d+)-')) or 0
end
local last = math.max(number_of(redis.call('GET', KEYS[2])), number_of(redis.call('GET', KEYS[3])))
local version = string.format('%d', last + 1) .. '-' .. ARGV[2]
redis.call('SET', KEYS[2], version)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 500, '*',
  'event', 'begin', 'version', version, 'at', ARGV[3], 'by', ARGV[4])
return version
