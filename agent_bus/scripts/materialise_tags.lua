-- include: bus
-- Stores the tag aggregate of a version and says so, if it is news.
--
-- KEYS[4] version, KEYS[5] aggregate, KEYS[6] pending
-- ARGV[4] the version counted, ARGV[5] the sorted counts as JSON, ARGV[6] ttl of the pending mark, in ms
-- Returns 1, or 0 if the tags have changed since: the caller counts once more.
local stored = redis.call('HMGET', KEYS[5], 'version', 'tags')
if not stored[1] or tonumber(stored[1]) <= tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[5], 'version', ARGV[4], 'tags', ARGV[5])
  if stored[2] ~= ARGV[5] then
    emit('', 'tags_updated', function() return '"tags":' .. ARGV[5] .. '}' end)
  end
end
if (redis.call('GET', KEYS[4]) or '0') == ARGV[4] then
  redis.call('DEL', KEYS[6])
  return 1
end
redis.call('SET', KEYS[6], '1', 'PX', ARGV[6])
return 0
