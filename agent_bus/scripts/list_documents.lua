-- include: bus document
-- A page of documents, newest first.
--
-- KEYS[4…] sorted sets whose members must all match: every document's, or one for each tag
-- ARGV[4] url base, ARGV[5] prefix of the documents' keys, ARGV[6] offset, ARGV[7] limit
-- Returns {how many match, JSON…}.
local first, last = tonumber(ARGV[6]), tonumber(ARGV[6]) + tonumber(ARGV[7]) - 1
local total, ids
if #KEYS == 4 then
  total = redis.call('ZCARD', KEYS[4])
  ids = redis.call('ZREVRANGE', KEYS[4], first, last)
else
  -- ZINTER walks the smallest of the sets and looks into the others.
  local all = redis.call('ZINTER', #KEYS - 3, unpack(KEYS, 4))
  total, ids = #all, {}
  for i = total - first, math.max(total - last, 1), -1 do ids[#ids + 1] = all[i] end
end
local page = { total }
for _, id in ipairs(ids) do
  local d = load(ARGV[5] .. id)
  if d then page[#page + 1] = document_json(d, ARGV[4]) end
end
return page
