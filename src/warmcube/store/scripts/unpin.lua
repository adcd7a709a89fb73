-- Let a data source be warmed again without anybody's asking.
-- KEYS: pin, history   ARGV: now (ms), actor   Returns 1; 0 if it isn't pinned.
if redis.call('DEL', KEYS[1]) == 0 then return 0 end
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 500, '*', 'event', 'unpin', 'at', ARGV[1], 'by', ARGV[2])
return 1
