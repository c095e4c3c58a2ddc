-- include: bus
-- How many documents have each tag, all at one moment.
--
-- KEYS[4] tags, KEYS[5] version; ARGV[4] prefix of the tags' sorted sets
-- Returns {version, name, count, name, count…}.
local counts = { redis.call('GET', KEYS[5]) or '0' }
for _, name in ipairs(redis.call('SMEMBERS', KEYS[4])) do
  local count = redis.call('ZCARD', ARGV[4] .. name)
  if count > 0 then
    counts[#counts + 1] = name
    counts[#counts + 1] = count
  end
end
return counts
