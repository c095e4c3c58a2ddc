-- include: bus statistics session
-- Changes what describes a session, on a person's word.
--
-- ARGV[5] then three for each change: field, 'set' or 'clear', value
-- Returns the session as JSON, or '' if there is none.
local before = load(KEYS[4])
if not before then return '' end
local s = copy(before)
for i = 5, #ARGV, 3 do
  if ARGV[i + 1] == 'set' then s[ARGV[i]] = ARGV[i + 2] else s[ARGV[i]] = nil end
  if ARGV[i] == 'session_name' then s.named = '1' end
end
touch(s)
save(s, before)
announce(s, 'session_updated')
return session_json(s)
