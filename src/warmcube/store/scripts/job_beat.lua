-- Say that a job is alive, if it is still the active one, or there is none.
-- KEYS: active job   ARGV: id, how long it counts as alive (ms)
local active = redis.call('GET', KEYS[1])
if not active or active == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1
