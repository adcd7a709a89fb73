-- Start a warm: hand out a version above every earlier one and make it the fence.
-- KEYS: lock, fence, current, history, pin
-- ARGV: lock value, 64 random bits in hex, now (ms), holder, '1' if nobody asked for this warm
-- Returns {'ok', version}; {'lock'} if the lease isn't the caller's; {'pin', who pinned it} if only
-- a warm that somebody asks for may begin.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'lock'} end
local pin = redis.call('GET', KEYS[5])
if pin and ARGV[5] == '1' then return {'pin', pin} end
local function number_of(version)
  if not version then return 0 end
  return tonumber(string.match(version, '^(%d+)-') or string.match(version, '^disabled:(%d+)-') or 0)
end
local last = math.max(number_of(redis.call('GET', KEYS[2])), number_of(redis.call('GET', KEYS[3])))
local version = string.format('%d', last + 1) .. '-' .. ARGV[2]
redis.call('SET', KEYS[2], version)
redis.call('XADD', KEYS[4], 'MAXLEN', '~', 500, '*',
  'event', 'begin', 'version', version, 'at', ARGV[3], 'by', ARGV[4])
return {'ok', version}
