-- include: bus tag_job document document_change
-- Forgets a document; its bytes are the caller's to remove.
--
-- ARGV[8] expected  versions, each between commas; '' for any
-- Returns {'deleted', '', version, whether to enqueue}, {'missing'}, or {'conflict', version}.
local d = load(KEYS[4])
if not d then return { 'missing' } end
if not expects(ARGV[8], d) then return { 'conflict', d.version } end
redis.call('DEL', KEYS[4])
redis.call('ZREM', KEYS[5], id)
redis.call('HDEL', KEYS[6], id)
local enqueue = retag(split(d.tags), {}, d.score)
emit('', 'document_deleted', function() return '"document_id":"' .. id .. '"}' end)
return { 'deleted', '', d.version, enqueue }
