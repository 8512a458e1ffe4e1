-- Begins a new epoch of a room whose numbers went back, unless another server has begun one.
-- KEYS: the room's facts, its keys. ARGV: the old epoch, the new one, publish command, channel, the first byte of the
-- announcement of an epoch.
local known = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
if known[1] ~= ARGV[1] then
  return
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[2])
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HSET', KEYS[2], '', ARGV[2])
end
redis.call(ARGV[3], ARGV[4], ARGV[5] .. ARGV[2] .. ':' .. known[2])
