-- Take back what an attempt that was no failure had counted.
-- KEYS: the counters that it fell under   ARGV: for each, 'forget' (all of them) or 'undo' (one)
for i = 1, #KEYS do
  if ARGV[i] == 'forget' then
    redis.call('DEL', KEYS[i])
  elseif redis.call('EXISTS', KEYS[i]) == 1 then
    redis.call('HDEL', KEYS[i], 'until')
    if redis.call('HINCRBY', KEYS[i], 'attempts', -1) <= 0 then redis.call('DEL', KEYS[i]) end
  end
end
return 1
