-- include: bus tag_job document document_change
-- Changes what describes a document.
--
-- ARGV[8]  expected     versions, each between commas; '' for any
-- ARGV[9]  tags         preceded by '=', comma-separated; '' to keep them
-- ARGV[10] description  preceded by '='; 'clear' to remove it; '' to keep it
-- Returns {'patched', JSON, version, whether to enqueue}, {'missing'}, or {'conflict', version}.
local d = load(KEYS[4])
if not d then return { 'missing' } end
if not expects(ARGV[8], d) then return { 'conflict', d.version } end

local tags_before = d.tags
if ARGV[9] ~= '' then d.tags = string.sub(ARGV[9], 2) end
if ARGV[10] == 'clear' then
  d.description = nil
  redis.call('HDEL', KEYS[4], 'description')
elseif ARGV[10] ~= '' then
  d.description = string.sub(ARGV[10], 2)
  redis.call('HSET', KEYS[4], 'description', d.description)
end

-- Later than before also when the clock was set back, or two changes fall into one microsecond.
local micros = math.max(tonumber(clock[1]) * 1000000 + tonumber(clock[2]), tonumber(d.updated_us) + 1)
d.updated_us = number(micros)
d.updated_at = iso(math.floor(micros / 1000000), micros % 1000000)
d.version = number(tonumber(d.version) + 1)
redis.call('HSET', KEYS[4], 'tags', d.tags, 'updated_us', d.updated_us, 'updated_at', d.updated_at, 'version', d.version)
announce(d, 'document_updated')
return { 'patched', document_json(d, ARGV[5]), d.version, retag(split(tags_before), split(d.tags), d.score) }
