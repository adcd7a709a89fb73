-- Reserve memory for a warm, beside what other warms have reserved: on all masters, or on none.
-- KEYS: reservations (hash: '<data source>', on a cluster '<data source> <master>'
--       -> '<bytes> <until, ms>')
-- ARGV: until (ms), now (ms), and for each master: the field, bytes, free bytes
-- Returns 'ok'; or the field of a master that lacks as much, and the bytes that others have
-- reserved on it.
local held = redis.call('HGETALL', KEYS[1])
local function of_others(field)
  local others, master = 0, string.match(field, ' .*$') or ''
  for i = 1, #held, 2 do
    local bytes, till = string.match(held[i + 1], '^(%d+) (%d+)$')
    if not till or tonumber(till) < tonumber(ARGV[2]) then
      redis.call('HDEL', KEYS[1], held[i])
    elseif held[i] ~= field and (string.match(held[i], ' .*$') or '') == master then
      others = others + tonumber(bytes)
    end
  end
  return others
end
for i = 3, #ARGV, 3 do
  local others = of_others(ARGV[i])
  if others + tonumber(ARGV[i + 1]) > tonumber(ARGV[i + 2]) then
    return {ARGV[i], string.format('%d', others)}
  end
end
for i = 3, #ARGV, 3 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1] .. ' ' .. ARGV[1])
end
redis.call('PEXPIREAT', KEYS[1], ARGV[1])
return 'ok'
