-- include: bus
-- Makes the tag aggregate count as old, whatever version it claims.
--
-- KEYS[4] version, KEYS[5] aggregate
local version = tonumber(redis.call('GET', KEYS[4]) or '0') or 0
local claimed = tonumber(redis.call('HGET', KEYS[5], 'version') or '0') or 0
redis.call('SET', KEYS[4], number(math.max(version, claimed) + 1))
return 1
