-- What the scripts of a room have in common.

local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then
      return entry[2][i + 1]
    end
  end
end

local function number(entry)
  return tonumber(string.match(entry[1], '^%d+'))
end

-- Returns where a room stands: its epoch, its newest number and the mark of that message. Facts that are gone while the
-- messages are there were evicted alone and are restored. A room without either begins `epoch`, which is announced.
-- Returns nothing if Redis does not take what has to be written.
local function stand(facts, log, keys, epoch, life, publish, channel, kind)
  local known = redis.call('HMGET', facts, 'epoch', 'seq', 'tip')
  if known[1] then
    return known[1], tonumber(known[2]), known[3]
  end
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
  local before = newest and redis.call('HGET', keys, '')
  local seq, tip = 0, ''
  if newest then
    seq, tip = number(newest), field(newest, 't') or ''
  end
  local set = redis.pcall('HSET', facts, 'epoch', before or epoch, 'seq', seq, 'tip', tip)
  if type(set) == 'table' and set.err then
    return nil, set
  end
  redis.call('PEXPIRE', facts, life)
  if not newest then
    redis.call('DEL', keys)
  end
  if not before then
    redis.call(publish, channel, kind .. epoch .. ':' .. seq)
  end
  return before or epoch, seq, tip
end
