-- Count an attempt to sign in before it is judged, so that many at once can't slip through.
-- KEYS: the counters that it falls under
-- ARGV: how long a counter remembers (ms), the first wait, the longest wait (ms), and for each key
--       how many attempts are free
-- Returns 0; or how long to wait (ms), and then nothing is counted.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local wait = 0
for i = 1, #KEYS do
  local till = tonumber(redis.call('HGET', KEYS[i], 'until') or 0)
  wait = math.max(wait, till - now)
end
-- A clock that was set back must not lock anybody out for longer than any wait.
if wait > 0 then return math.min(wait, tonumber(ARGV[3])) end
for i = 1, #KEYS do
  local over = redis.call('HINCRBY', KEYS[i], 'attempts', 1) - tonumber(ARGV[3 + i])
  if over >= 0 then
    local pause = math.min(tonumber(ARGV[2]) * 2 ^ math.min(over, 30), tonumber(ARGV[3]))
    redis.call('HSET', KEYS[i], 'until', string.format('%d', now + pause))
  end
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return 0
