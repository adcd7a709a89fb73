-- Mark a snapshot as about to go, so that nothing may serve or keep it again.
-- KEYS: current, retired marker, kept   ARGV: version, expiry of the marker (Unix ms)
-- Returns 1; 0 if it is the live one, or the one behind the switch.
local current = redis.call('GET', KEYS[1])
if current == ARGV[1] then return 0 end
if current and string.match(current, '^disabled:([^:]+):') == ARGV[1] then return 0 end
redis.call('LREM', KEYS[3], 0, ARGV[1])
redis.call('SET', KEYS[2], '1', 'PXAT', ARGV[2])
return 1
