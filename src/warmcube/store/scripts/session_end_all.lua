-- End all sessions of a user but one.
-- KEYS: the user's sessions   ARGV: the digest of the one that stays; '' for none
-- Returns how many ended.
local ended = 0
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if field ~= 'user' and field ~= ARGV[1] then
    ended = ended + redis.call('HDEL', KEYS[1], field)
  end
end
if redis.call('HLEN', KEYS[1]) <= 1 then redis.call('DEL', KEYS[1]) end
return ended
