-- include: bus statistics session
-- Removes a session and its history; what of it lies in the archive belongs to nobody from then on.
--
-- KEYS[8] archived  the archive's objects, see let_go() in session.lua
-- Returns the number of events that went with it, or -1 if there is no such session.
local s = load(KEYS[4])
if not s then return -1 end
local events = archived_events(s) + redis.call('XLEN', KEYS[5])
let_go(s, KEYS[8])
redis.call('UNLINK', KEYS[4], KEYS[5])
redis.call('ZREM', KEYS[6], id)
redis.call('ZREM', KEYS[6] .. ':status:' .. s.status, id)
if s.agent_name then redis.call('ZREM', KEYS[6] .. ':agent:' .. s.agent_name, id) end
redis.call('ZREM', KEYS[7], id)
emit(id, 'session_deleted', function() return '"session_id":' .. text(id) .. '}' end)
return events
