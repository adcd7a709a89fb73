-- Note that a part of the live snapshot is damaged, once for each part.
-- KEYS: current, reports (hash)
-- ARGV: what the pointer held when the damage was met ('' for whatever it holds), the part,
--       when (Unix ms), how long reports stay (ms), most reports
-- Returns 1 if it is news, 0 if it was known, or is of a snapshot that isn't live any more.
local current = redis.call('GET', KEYS[1])
if not current or (ARGV[1] ~= '' and current ~= ARGV[1]) then return 0 end
if redis.call('HGET', KEYS[2], 'of') ~= current then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[2], 'of', current)
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
if redis.call('HLEN', KEYS[2]) > tonumber(ARGV[5]) then return 0 end
return redis.call('HSETNX', KEYS[2], ARGV[2], ARGV[3])
