-- Numbers messages of one server for one room, keeps and announces them. Returns for each message its number, or the
-- number of the message with the same key, or 0 if it came too late or could not be kept.
-- KEYS: the room's facts, its messages, their keys, the last message of this server. ARGV: server, messages to keep, their
-- age in ms, life of the facts in ms, life of the server's number in ms, publish command, channel, a new epoch, the first
-- byte of the announcement of a message, that of an epoch, bytes to keep; then for each message, in order: its number on
-- the server, the message, its mark, its key or '', whether it is tried again.
local facts, log, keys, sent = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local server, most, age, publish, channel = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[6], ARGV[7]
local most_bytes = tonumber(ARGV[11])
local FIRST, STEP = 12, 5
-- Messages between two trims by number, and messages that a trim reads at once, for their keys.
local TRIM = 64
-- What is added to the log, in messages and bytes.
local added, added_bytes = 0, 0
local last = tonumber(redis.call('GET', sent) or 0)
local before, epoch, start, seq, tip = last

local function kept_from(origin)
  for _, entry in ipairs(redis.call('XREVRANGE', log, '+', '-')) do
    if field(entry, 'o') == origin then
      return number(entry)
    end
  end
end

local function kept_with(key)
  local first = redis.call('HGET', keys, key)
  local entry = first and redis.call('XRANGE', log, first .. '-0', first .. '-0')[1]
  -- Another message may have its number, if the messages were lost and the keys were not.
  return entry and field(entry, 'k') == key and tonumber(first)
end

local function append(origin, message, mark, key)
  seq = seq + 1
  local digits = string.format('%d', seq)
  local entry = redis.pcall('XADD', log, digits .. '-0', 'o', origin, 'm', message, 't', mark, 'k', key)
  if type(entry) == 'table' and entry.err then
    -- If Redis is full, the write of the facts below is refused, too, and with it the whole call. If the log is ahead of
    -- the facts, the next number is free.
    return 0
  end
  if key ~= '' then
    redis.call('HSET', keys, '', epoch, key, digits)
  end
  redis.call(publish, channel, ARGV[9] .. epoch .. ':' .. digits .. ':' .. tip .. ':' .. message)
  tip = mark
  added, added_bytes = added + 1, added_bytes + #message
  return seq
end

-- Returns the bytes of the messages in the log. `len` is their number.
local function bytes_kept(len)
  local known = redis.call('HGET', facts, 'bytes')
  if len == added then
    return added_bytes
  elseif known then
    return known + added_bytes
  end
  local bytes = 0
  for _, entry in ipairs(redis.call('XRANGE', log, '-', '+')) do
    bytes = bytes + #field(entry, 'm')
  end
  return bytes
end

-- Removes the oldest messages and their keys: `over` of them, and more until the rest has `bytes` at most. Returns what is
-- left of `len` messages and `size` bytes. The newest stays.
local function trim(over, bytes, len, size)
  while len > 1 and (over > 0 or size > bytes) do
    local untrimmed = len
    for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', TRIM)) do
      if len == 1 or over <= 0 and size <= bytes then
        break
      end
      len, over, size = len - 1, over - 1, size - #field(entry, 'm')
      local old = field(entry, 'k')
      if old and old ~= '' then
        redis.call('HDEL', keys, old)
      end
    end
    if len == untrimmed then
      break
    end
    redis.call('XTRIM', log, 'MAXLEN', len)
  end
  return len, size
end

local seqs = {}
for i = FIRST, #ARGV, STEP do
  local count, message, mark, key = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local origin = server .. ':' .. ARGV[i]
  local answer
  if count <= before then
    -- A connection that was cut may deliver late what was sent again since.
    answer = ARGV[i + 4] == '1' and kept_from(origin) or 0
  else
    last = count
    answer = key ~= '' and kept_with(key)
    if not answer then
      if not epoch then
        epoch, start, tip = stand(facts, log, keys, ARGV[8], ARGV[4], publish, channel, ARGV[10])
        if not epoch then
          return start
        end
        seq = start
      end
      answer = append(origin, message, mark, key)
    end
  end
  seqs[#seqs + 1] = answer
end

if epoch then
  local len = redis.call('XLEN', log)
  local bytes = bytes_kept(len)
  -- Before `PEXPIRE`: Redis refuses no write of a script after the first one that it allows.
  redis.call('HSET', facts, 'seq', seq, 'tip', tip, 'bytes', bytes)
  redis.call('PEXPIRE', facts, ARGV[4])
  redis.call('PEXPIRE', log, age)
  if redis.call('PEXPIRE', keys, age) == 0 then
    redis.call('HSET', keys, '', epoch)
    redis.call('PEXPIRE', keys, age)
  end
  local due = math.floor(seq / TRIM) > math.floor(start / TRIM)
  local over = due and len - most or 0
  -- An eighth more than is kept, so that not every message causes a trim.
  local is_large = bytes > most_bytes + math.floor(most_bytes / 8)
  if over > 0 or is_large then
    len, bytes = trim(over, is_large and most_bytes or bytes, len, bytes)
    redis.call('HSET', facts, 'bytes', bytes)
  end
end
if last > before then
  redis.call('SET', sent, last, 'PX', ARGV[5])
end
return seqs
