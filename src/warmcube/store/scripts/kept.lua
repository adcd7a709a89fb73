-- Which snapshots may be served, now or after a rollback, at one moment.
-- KEYS: current, kept, pin   Returns {current, pin, the kept versions, the last one first}.
return {redis.call('GET', KEYS[1]), redis.call('GET', KEYS[3]), redis.call('LRANGE', KEYS[2], 0, -1)}
