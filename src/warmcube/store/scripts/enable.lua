-- Switch a data source on again.
-- KEYS: current, history
-- ARGV: the pointer as it was seen, the snapshot to serve ('' for none), its expiry (Unix ms),
--       now (ms), channel, actor
-- Returns 1; 0 if the pointer is another one meanwhile.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3]) end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 500, '*',
  'event', 'enable', 'to', ARGV[2], 'at', ARGV[4], 'by', ARGV[6])
redis.call('PUBLISH', ARGV[5], ARGV[2])
return 1
