-- Have it known until when keys of some items of master may be there; never sooner than was known.
-- What others have crossed off is gone.
-- KEYS: ends (hash: item -> Unix ms), master   ARGV: for each item, its name and its end (Unix ms)
for i = 1, #ARGV, 2 do
  local known = tonumber(redis.call('HGET', KEYS[1], ARGV[i]) or 0) or 0
  local exists = redis.call('SISMEMBER', KEYS[2], ARGV[i]) == 1
  if exists and known < tonumber(ARGV[i + 1]) then redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
end
return 1
