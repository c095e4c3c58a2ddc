-- include: bus
-- Replaces a blueprint, if it is still what the caller read. Sent again after a lost answer, it counts once.
--
-- KEYS[4] blueprints  hash: agent name to blueprint as JSON
-- ARGV[4] name
-- ARGV[5] before      the JSON that the caller read
-- ARGV[6] after       the JSON to store
-- Returns 'changed', or 'stale' if it has been changed or deleted since.
local name, before, after = ARGV[4], ARGV[5], ARGV[6]

local stored = redis.call('HGET', KEYS[4], name)
if stored == after then return 'changed' end
if stored ~= before then return 'stale' end

redis.call('HSET', KEYS[4], name, after)
emit('', 'agent_updated', function() return '"agent":' .. after .. '}' end)
return 'changed'
