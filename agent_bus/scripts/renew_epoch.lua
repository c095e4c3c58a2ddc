-- include: bus
-- A reader has seen numbers that this Redis does not know: it lost its past. Begin another epoch, above all that was seen.
--
-- ARGV[4] the epoch that the reader knew
-- ARGV[5] the highest number that it saw
-- Returns the epoch in force.
local epoch = redis.call('GET', KEYS[3])
local current = tonumber(redis.call('GET', KEYS[1]) or '0')
if epoch and epoch ~= ARGV[4] then return epoch end
if current >= tonumber(ARGV[5]) then return epoch or '' end
redis.call('SET', KEYS[3], ARGV[3])
redis.call('SET', KEYS[1], ARGV[5])
return ARGV[3]
