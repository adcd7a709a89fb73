-- Begin a session.
-- KEYS: the user's sessions (hash: 'user', and for each digest '<begun> <seen> <method>', in ms)
-- ARGV: user, digest, method, idle (ms), life (ms), how many at most
-- Returns when it began (Unix ms).
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local live = {}
local kept = redis.call('HGETALL', KEYS[1])
for i = 1, #kept, 2 do
  if kept[i] ~= 'user' then
    local begun, seen = string.match(kept[i + 1], '^(%d+) (%d+) %a+$')
    if not begun or now >= begun + ARGV[5] or now >= seen + ARGV[4] then
      redis.call('HDEL', KEYS[1], kept[i])
    else
      live[#live + 1] = {kept[i], tonumber(seen)}
    end
  end
end
table.sort(live, function(a, b) return a[2] < b[2] end)
for i = 1, #live + 1 - tonumber(ARGV[6]) do redis.call('HDEL', KEYS[1], live[i][1]) end
local at = string.format('%d', now)
redis.call('HSET', KEYS[1], 'user', ARGV[1], ARGV[2], at .. ' ' .. at .. ' ' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return now
