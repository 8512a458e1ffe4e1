-- Numbers a message, keeps it and announces it.
-- KEYS: the room's facts, its messages. ARGV: server, the message's number there, the message, the announcement's first
-- byte, channel, publish command, messages to keep, their age in ms, life of the facts in ms, whether it is tried again,
-- a new life.
local facts, log = KEYS[1], KEYS[2]
local server, count = ARGV[1], tonumber(ARGV[2])
local origin = server .. ':' .. ARGV[2]

-- A connection that was cut may deliver late what was sent again since.
local last = tonumber(redis.call('HGET', facts, server) or 0)
if count <= last then
  if ARGV[10] == '1' then
    for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-')) do
      if entry[2][2] == origin then
        return tonumber(string.match(entry[1], '^%d+'))
      end
    end
  end
  return 0
end

redis.call('HSETNX', facts, 'life', ARGV[11])
local seq = redis.call('HINCRBY', facts, 'seq', 1)
redis.call('HSET', facts, server, count)
redis.call('XADD', log, 'MAXLEN', ARGV[7], seq .. '-0', 'o', origin, 'm', ARGV[3])
redis.call('PEXPIRE', log, ARGV[8])
redis.call('PEXPIRE', facts, ARGV[9])
redis.call(ARGV[6], ARGV[5], ARGV[4] .. seq .. ':' .. ARGV[3])
return seq
