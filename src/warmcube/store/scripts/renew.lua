-- Renew the lease of a running warm.
-- KEYS: lock, fence   ARGV: lock value, version, lease (ms)
-- Returns 1; 0 if the lease is lost; -1 if the warm was fenced off.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return -1 end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
