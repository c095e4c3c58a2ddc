-- include: bus tag_job document document_change
-- Makes the document of an upload that has ended well.
--
-- ARGV[8] filename, ARGV[9] content type, ARGV[10] size in bytes, ARGV[11] checksum
-- ARGV[12] tags         comma-separated
-- ARGV[13] metadata     as JSON, without the description
-- ARGV[14] description  preceded by '=', or '' for none
-- Returns {'created', JSON, version, whether to enqueue}, or {'lapsed'} if the upload's mark is gone.
local d = load(KEYS[4])
-- The answer to the first try was lost; ids are drawn at random, so this document is the caller's.
if d then return { 'created', document_json(d, ARGV[5]), d.version, 0 } end
if redis.call('DEL', KEYS[4]) == 0 then return { 'lapsed' } end

d = {
  id = id, filename = ARGV[8], content_type = ARGV[9], size_bytes = ARGV[10], checksum = ARGV[11],
  created_at = now_iso, updated_at = now_iso, updated_us = number(tonumber(clock[1]) * 1000000 + tonumber(clock[2])),
  tags = ARGV[12], metadata = ARGV[13], version = '1',
}
if ARGV[14] ~= '' then d.description = string.sub(ARGV[14], 2) end
d.score = announce(d, 'document_created')

local fields = {}
for field, value in pairs(d) do
  fields[#fields + 1] = field
  fields[#fields + 1] = value
end
redis.call('HSET', KEYS[4], unpack(fields))
redis.call('ZADD', KEYS[5], d.score, id)
redis.call('HSET', KEYS[6], id, d.filename)
return { 'created', document_json(d, ARGV[5]), d.version, retag({}, split(d.tags), d.score) }
