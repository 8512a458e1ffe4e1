-- Members of a room: puts down those that came or are still there, forgets those that went and those whose server is
-- gone, tells who came and went, and returns how many there are.
-- KEYS: members by the time they are forgotten at, their users. ARGV: how long they are kept in ms, channel, publish
-- command, the announcement's first byte, most members that are told of each other, how many come; then each that comes
-- and each that goes: its name on its server, user.
local members, users = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local news = {}

local function change(user, by)
  local count = redis.call('HINCRBY', users, user, by)
  if count <= 0 then
    redis.call('HDEL', users, user)
  end
  if by == 1 and count == 1 then
    news[#news + 1] = 'j' .. user
  elseif by == -1 and count == 0 then
    news[#news + 1] = 'l' .. user
  end
end

for _, member in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', now)) do
  redis.call('ZREM', members, member)
  change(string.match(member, '^[^\n]*\n(.*)$'), -1)
end
local first, last = 7, 6 + 2 * tonumber(ARGV[6])
for i = first, #ARGV, 2 do
  local member, user = ARGV[i] .. '\n' .. ARGV[i + 1], ARGV[i + 1]
  if i < last then
    if redis.call('ZADD', members, now + ARGV[1], member) == 1 then
      change(user, 1)
    end
  elseif redis.call('ZREM', members, member) == 1 then
    change(user, -1)
  end
end
redis.call('PEXPIRE', members, ARGV[1])
redis.call('PEXPIRE', users, ARGV[1])
local count = redis.call('ZCARD', members)
if count - 1 <= tonumber(ARGV[5]) then
  for _, event in ipairs(news) do
    redis.call(ARGV[3], ARGV[2], ARGV[4] .. event)
  end
end
return count
