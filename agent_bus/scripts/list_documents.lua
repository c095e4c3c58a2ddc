-- include: bus document
-- A page of documents, newest first.
--
-- KEYS[4] version  of the tags
-- KEYS[5…] sorted sets whose members must all match: every document's, or one for each tag
-- ARGV[4] url base, ARGV[5] prefix of the documents' keys, ARGV[6] offset, ARGV[7] limit
-- ARGV[8] known    the version at which the caller knows what matches, '' if it does not
-- ARGV[9] largest  how many ids it would like to be told, to know them the next time
-- ARGV[10…] the page's ids, as far as the caller knows
-- Returns {how many match, or -1 where the caller knows, version, ids of all that match, oldest first and
-- comma-separated, or '', JSON…}.
local version = (redis.call('GET', KEYS[3]) or '') .. ':' .. (redis.call('GET', KEYS[4]) or '0')
local first, last = tonumber(ARGV[6]), tonumber(ARGV[6]) + tonumber(ARGV[7]) - 1
local total, ids, told = -1, {}, ''
if #KEYS == 5 then
  total = redis.call('ZCARD', KEYS[5])
  ids = redis.call('ZREVRANGE', KEYS[5], first, last)
elseif ARGV[8] == version then
  ids = { unpack(ARGV, 10) }
else
  -- ZINTER walks the smallest of the sets and looks into the others.
  local all = redis.call('ZINTER', #KEYS - 4, unpack(KEYS, 5))
  total = #all
  if total <= tonumber(ARGV[9]) then told = table.concat(all, ',') end
  for i = total - first, math.max(total - last, 1), -1 do ids[#ids + 1] = all[i] end
end
local page = { total, version, told }
for _, id in ipairs(ids) do
  local d = load(ARGV[5] .. id)
  if d then page[#page + 1] = document_json(d, ARGV[4]) end
end
return page
