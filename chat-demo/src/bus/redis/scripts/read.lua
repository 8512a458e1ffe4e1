-- The messages of a room after one, or the newest, and what is known of the room, all at one moment.
-- KEYS: the room's facts, its messages. ARGV: after which number or '', how many at most.
local facts = redis.call('HMGET', KEYS[1], 'life', 'seq')
local entries
if ARGV[1] == '' then
  entries = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', ARGV[2])
  for i = 1, math.floor(#entries / 2) do
    entries[i], entries[#entries + 1 - i] = entries[#entries + 1 - i], entries[i]
  end
else
  entries = redis.call('XRANGE', KEYS[2], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
end
local messages = {}
for i, entry in ipairs(entries) do
  messages[i] = {tonumber(string.match(entry[1], '^%d+')), entry[2][4]}
end
return {tonumber(facts[1] or 0), tonumber(facts[2] or 0), messages}
