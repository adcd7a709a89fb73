-- A session that is in force, which counts as seen now.
-- KEYS: the user's sessions   ARGV: digest, idle (ms), life (ms), how exactly `seen` is kept (ms)
-- Returns user, begun (Unix ms), method; false if there is none.
local found = redis.call('HMGET', KEYS[1], 'user', ARGV[1])
if not found[1] or not found[2] then return false end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local begun, seen, method = string.match(found[2], '^(%d+) (%d+) (%a+)$')
-- A clock that was set back by more than a minute would lengthen the session: it ends.
if not begun or now >= begun + ARGV[3] or now >= seen + ARGV[2] or now < seen - 60000 then
  redis.call('HDEL', KEYS[1], ARGV[1])
  return false
end
if now - seen >= tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], ARGV[1], begun .. ' ' .. string.format('%d', now) .. ' ' .. method)
end
return {found[1], tonumber(begun), method}
