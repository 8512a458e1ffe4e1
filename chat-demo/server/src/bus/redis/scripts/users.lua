-- The users in a room, or nothing if there are too many.
-- KEYS: their counts. ARGV: how many at most.
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then
  return false
end
return redis.call('HKEYS', KEYS[1])
