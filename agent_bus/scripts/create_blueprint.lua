-- include: bus
-- Stores a new blueprint. The caller sends it again when the answer to the first try was lost; that counts once.
--
-- KEYS[4] blueprints  hash: agent name to blueprint as JSON
-- KEYS[5] deleted     set: the names that a person deleted
-- ARGV[4] name
-- ARGV[5] blueprint   as JSON
-- ARGV[6] revive      '1' if a name that a person deleted may come back
-- Returns 'created' | 'taken' | 'deleted'.
local name, blueprint = ARGV[4], ARGV[5]

local stored = redis.call('HGET', KEYS[4], name)
if stored == blueprint then return 'created' end
if stored then return 'taken' end
if ARGV[6] ~= '1' and redis.call('SISMEMBER', KEYS[5], name) == 1 then return 'deleted' end

redis.call('HSET', KEYS[4], name, blueprint)
redis.call('SREM', KEYS[5], name)
emit('', 'agent_created', function() return '"agent":' .. blueprint .. '}' end)
return 'created'
