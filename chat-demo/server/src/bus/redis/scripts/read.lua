-- Returns where a room stands, the mark of the message after which is read, and the messages after it, or the newest; all
-- at one moment.
-- KEYS: the room's facts, its messages, their keys. ARGV: after which number or '', how many at most, a new epoch, its
-- life in ms, publish command, channel, the first byte of the announcement of an epoch.
local facts, log, keys = KEYS[1], KEYS[2], KEYS[3]
local after = ARGV[1]
local epoch, seq, tip = stand(facts, log, keys, ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
if not epoch then
  -- Nothing can be written: the room has no epoch yet, and no message.
  return {'', 0, '', '', {}}
end
local entries = {}
local mark = ''
if after == '' and ARGV[2] == '0' then
  -- Redis does not take a count of 0.
elseif after == '' then
  entries = redis.call('XREVRANGE', log, '+', '-', 'COUNT', ARGV[2])
  for i = 1, math.floor(#entries / 2) do
    entries[i], entries[#entries + 1 - i] = entries[#entries + 1 - i], entries[i]
  end
else
  entries = redis.call('XRANGE', log, '(' .. after .. '-0', '+', 'COUNT', ARGV[2])
  if tonumber(after) == seq then
    mark = tip
  else
    local seen = redis.call('XRANGE', log, after .. '-0', after .. '-0')[1]
    mark = seen and field(seen, 't') or ''
  end
end
local messages = {}
for i, entry in ipairs(entries) do
  messages[i] = {number(entry), field(entry, 'm')}
end
return {epoch, seq, tip, mark, messages}
