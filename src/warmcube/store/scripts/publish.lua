-- Make a snapshot the live one.
-- KEYS: lock, fence, current, manifest, last_warm, history
-- ARGV: lock value, version, base that it was built on ('' for any), expiry (Unix ms), now (ms),
--       channel, report (JSON)
-- Returns 'ok', or why not: 'lease', 'fence', 'base', 'manifest'.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 'lease' end
if redis.call('GET', KEYS[2]) ~= ARGV[2] then return 'fence' end
if ARGV[3] ~= '' and redis.call('GET', KEYS[3]) ~= ARGV[3] then return 'base' end
if redis.call('EXISTS', KEYS[4]) == 0 then return 'manifest' end
redis.call('SET', KEYS[3], ARGV[2], 'PXAT', ARGV[4])
redis.call('SET', KEYS[5], ARGV[5], 'PXAT', ARGV[4])
redis.call('XADD', KEYS[6], 'MAXLEN', '~', 500, '*',
  'event', 'publish', 'version', ARGV[2], 'at', ARGV[5], 'report', ARGV[7])
redis.call('PUBLISH', ARGV[6], ARGV[2])
return 'ok'
