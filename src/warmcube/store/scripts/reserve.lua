-- Reserve memory for a warm, beside what other warms have reserved on this server.
-- KEYS: reservations (hash: data source -> '<bytes> <until, ms>')
-- ARGV: data source, bytes, until (ms), now (ms), free bytes
-- Returns 'ok', or the bytes that others have reserved.
local others = 0
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local bytes, till = string.match(held[i + 1], '^(%d+) (%d+)$')
  if not till or tonumber(till) < tonumber(ARGV[4]) then
    redis.call('HDEL', KEYS[1], held[i])
  elseif held[i] ~= ARGV[1] then
    others = others + tonumber(bytes)
  end
end
if others + tonumber(ARGV[2]) > tonumber(ARGV[5]) then return string.format('%d', others) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 'ok'
