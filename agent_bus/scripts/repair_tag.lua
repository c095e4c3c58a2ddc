-- include: bus document
-- Takes out of a tag's set the ids whose documents do not have the tag.
--
-- KEYS[4] the tag's sorted set, KEYS[5] tags
-- ARGV[4] prefix of the documents' keys, ARGV[5] the tag, ARGV[6…] ids
-- Returns how many entries were wrong.
local wrong = 0
for i = 6, #ARGV do
  local d = load(ARGV[4] .. ARGV[i])
  if not d or not set_of(split(d.tags))[ARGV[5]] then wrong = wrong + redis.call('ZREM', KEYS[4], ARGV[i]) end
end
if redis.call('EXISTS', KEYS[4]) == 0 then wrong = wrong + redis.call('SREM', KEYS[5], ARGV[5]) end
return wrong
