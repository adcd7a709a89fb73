-- Read a value that counts once.
-- KEYS: its key   Returns the value; false if it isn't there, any more.
local value = redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
return value
