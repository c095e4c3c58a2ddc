-- include: bus
-- A reader has seen messages that this Redis does not know: it lost its past. Begin another epoch, above all that was
-- seen. Readers that notice the same loss together renew it once.
--
-- ARGV[4] the epoch that the reader knew
-- ARGV[5] the highest number that it saw
-- Returns the epoch in force.
local epoch = redis.call('GET', KEYS[3])
local current = tonumber(redis.call('GET', KEYS[1]) or '0')
if epoch and epoch ~= ARGV[4] then return epoch end
redis.call('SET', KEYS[3], ARGV[3])
redis.call('SET', KEYS[1], number(math.max(current, tonumber(ARGV[5]))))
return ARGV[3]
