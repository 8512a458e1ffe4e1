-- Numbers a message, keeps it and announces it. Returns its number, or that of the message with the same key; 0 if it
-- came too late.
-- KEYS: the room's facts, its messages, their keys, the last message of this server. ARGV: server, the message's number
-- there, the message, its mark, its key or '', whether it is tried again, messages to keep, their age in ms, life of the
-- facts in ms, life of the server's number in ms, publish command, channel, a new epoch, the first byte of the
-- announcement of a message, that of an epoch.
local facts, log, keys, sent = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local count, message, mark, key = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local most, publish, channel = tonumber(ARGV[7]), ARGV[11], ARGV[12]
local origin = ARGV[1] .. ':' .. ARGV[2]

-- A connection that was cut may deliver late what was sent again since.
if count <= tonumber(redis.call('GET', sent) or 0) then
  if ARGV[6] == '1' then
    for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-')) do
      if field(entry, 'o') == origin then
        return number(entry)
      end
    end
  end
  return 0
end

if key ~= '' then
  local first = redis.call('HGET', keys, key)
  local entry = first and redis.call('XRANGE', log, first .. '-0', first .. '-0')[1]
  -- Another message may have its number, if the messages were lost and the keys were not.
  if entry and field(entry, 'k') == key then
    redis.call('SET', sent, count, 'PX', ARGV[10])
    return tonumber(first)
  end
end

local epoch, seq, tip = stand(facts, log, keys, ARGV[13], ARGV[9], publish, channel, ARGV[15])
if not epoch then
  return seq
end
seq = seq + 1
redis.call('HSET', facts, 'seq', seq, 'tip', mark)
redis.call('SET', sent, count, 'PX', ARGV[10])
local over = redis.call('XLEN', log) + 1 - most
if over > 0 then
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', over)) do
    local old = field(entry, 'k')
    if old and old ~= '' then
      redis.call('HDEL', keys, old)
    end
  end
end
redis.call('XADD', log, 'MAXLEN', most, seq .. '-0', 'o', origin, 'm', message, 't', mark, 'k', key)
redis.call('HSET', keys, '', epoch)
if key ~= '' then
  redis.call('HSET', keys, key, seq)
end
redis.call('PEXPIRE', log, ARGV[8])
redis.call('PEXPIRE', keys, ARGV[8])
redis.call('PEXPIRE', facts, ARGV[9])
redis.call(publish, channel, ARGV[14] .. epoch .. ':' .. seq .. ':' .. tip .. ':' .. message)
return seq
