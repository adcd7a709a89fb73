-- Mark a snapshot as about to go, so that nothing may serve or keep it again.
-- KEYS: current, retired marker   ARGV: version, expiry of the marker (Unix ms)
-- Returns 1; 0 if it is the live one.
if redis.call('GET', KEYS[1]) == ARGV[1] then return 0 end
redis.call('SET', KEYS[2], '1', 'PXAT', ARGV[2])
return 1
