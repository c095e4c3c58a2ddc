-- include: bus statistics session
-- Returns {session as JSON, run}, or {} if there is none.
local s = load(KEYS[4])
if not s then return {} end
return { session_json(s), s.run }
