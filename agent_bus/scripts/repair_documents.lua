-- include: bus document
-- Makes the indexes say of some ids what the documents' own hashes say.
--
-- KEYS[4] documents, KEYS[5] filenames, KEYS[6] tags
-- ARGV[4] prefix of the documents' keys, ARGV[5] prefix of the tags' sorted sets, ARGV[6…] ids
-- Returns how many entries were wrong.
local wrong = 0
for i = 6, #ARGV do
  local id = ARGV[i]
  local d = load(ARGV[4] .. id)
  if d then
    wrong = wrong + redis.call('ZADD', KEYS[4], 'CH', d.score, id)
    if redis.call('HGET', KEYS[5], id) ~= d.filename then
      redis.call('HSET', KEYS[5], id, d.filename)
      wrong = wrong + 1
    end
    for _, name in ipairs(split(d.tags)) do
      wrong = wrong + redis.call('ZADD', ARGV[5] .. name, 'CH', d.score, id)
      wrong = wrong + redis.call('SADD', KEYS[6], name)
    end
  else
    wrong = wrong + redis.call('ZREM', KEYS[4], id) + redis.call('HDEL', KEYS[5], id)
  end
end
return wrong
