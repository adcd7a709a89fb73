-- Write how far a job is, and that it is alive.
-- KEYS: active job, jobs (hash), their order (list)
-- ARGV: id, record, how long it counts as alive (ms, 0 if it has ended), how long records stay (ms)
-- Returns the id of the active job if that is another one; false otherwise.
local active = redis.call('GET', KEYS[1])
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then  -- the store was emptied
  redis.call('LPUSH', KEYS[3], ARGV[1])
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[4])
if active and active ~= ARGV[1] then return active end
if ARGV[3] ~= '0' then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
else
  redis.call('DEL', KEYS[1])
end
return false
