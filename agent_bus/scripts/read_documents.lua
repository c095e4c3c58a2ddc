-- include: bus document
-- Documents by id.
--
-- ARGV[4] url base, ARGV[5] prefix of the documents' keys, ARGV[6…] ids
-- Returns JSON and version for each id, '' and '' where there is none.
local found = {}
for i = 6, #ARGV do
  local d = load(ARGV[5] .. ARGV[i])
  found[#found + 1] = d and document_json(d, ARGV[4]) or ''
  found[#found + 1] = d and d.version or ''
end
return found
