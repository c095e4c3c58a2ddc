-- include: bus
-- Removes a blueprint, on a person's word, and remembers its name.
--
-- KEYS[4] blueprints  hash: agent name to blueprint as JSON
-- KEYS[5] deleted     set: the names that a person deleted
-- ARGV[4] name
-- Returns 1, or 0 if there is no such blueprint.
local name = ARGV[4]
if redis.call('HDEL', KEYS[4], name) == 0 then return 0 end
redis.call('SADD', KEYS[5], name)
emit('', 'agent_deleted', function() return '"name":' .. text(name) .. '}' end)
return 1
