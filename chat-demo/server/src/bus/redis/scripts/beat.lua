-- Says that a server is there, and returns the servers of its name with the times in ms until which they are remembered.
-- KEYS: the servers of that name, also a channel that nobody listens to. ARGV: server, how long it is remembered in ms,
-- publish command.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- First: Redis does not refuse, even if it is full, what a script does after its first write.
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call(ARGV[3], KEYS[1], '')
local servers = {}
local entries = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #entries, 2 do
  servers[#servers + 1] = {entries[i], tonumber(entries[i + 1])}
end
return servers
