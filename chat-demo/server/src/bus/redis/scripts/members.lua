-- Members of a room: puts down those that came or are still there, forgets those that went and those whose server is
-- gone, tells who came and went, and returns how many there are and where the room stands.
-- KEYS: members by the time they are forgotten at, their users, the room's facts. ARGV: how long members are kept in ms,
-- life of the facts in ms, channel, publish command, the announcement's first byte, most members that are told of each
-- other, how many come; then each that comes and each that goes: its name on its server, user.
local members, users, facts = KEYS[1], KEYS[2], KEYS[3]
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

-- One of the two may have been evicted: the members are what counts.
if redis.call('EXISTS', members) == 0 then
  redis.call('DEL', users)
elseif redis.call('EXISTS', users) == 0 then
  for _, member in ipairs(redis.call('ZRANGE', members, 0, -1)) do
    redis.call('HINCRBY', users, string.match(member, '^[^\n]*\n(.*)$'), 1)
  end
end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', members, '-inf', now)) do
  redis.call('ZREM', members, member)
  change(string.match(member, '^[^\n]*\n(.*)$'), -1)
end
local first, last = 8, 7 + 2 * tonumber(ARGV[7])
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
if count - 1 <= tonumber(ARGV[6]) then
  for _, event in ipairs(news) do
    redis.call(ARGV[4], ARGV[3], ARGV[5] .. event)
  end
end
-- A room with members is not forgotten, however long it is silent.
local known = redis.call('HMGET', facts, 'epoch', 'seq')
if known[1] and count > 0 then
  redis.call('PEXPIRE', facts, known[2] == '0' and ARGV[1] or ARGV[2])
end
return {count, known[1] or '', tonumber(known[2] or 0)}
