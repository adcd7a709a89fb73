-- Record a new job, unless the data source has one, or is being warmed without one.
-- KEYS: active job, lease, jobs (hash), their order (list), current
-- ARGV: id, record, how long it counts as alive (ms), how long records stay (ms), most records;
--       from whoever decided upon what they saw: the pointer, and the newest job ('' for none)
-- Returns {'ok'}, {'job', id, its record}, {'lock', the lease's value, how long it holds (ms)}, or
-- {'since'} if what was seen isn't so any more.
local active = redis.call('GET', KEYS[1])
if active then return {'job', active, redis.call('HGET', KEYS[3], active) or ''} end
local lock = redis.call('GET', KEYS[2])
if lock then return {'lock', lock, redis.call('PTTL', KEYS[2])} end
if ARGV[6] and ((redis.call('GET', KEYS[5]) or '') ~= ARGV[6]
    or (redis.call('LINDEX', KEYS[4], 0) or '') ~= ARGV[7]) then
  return {'since'}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
redis.call('LPUSH', KEYS[4], ARGV[1])
while redis.call('LLEN', KEYS[4]) > tonumber(ARGV[5]) do
  redis.call('HDEL', KEYS[3], redis.call('RPOP', KEYS[4]))
end
redis.call('PEXPIRE', KEYS[3], ARGV[4])
redis.call('PEXPIRE', KEYS[4], ARGV[4])
return {'ok'}
