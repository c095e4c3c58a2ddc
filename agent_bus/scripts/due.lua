-- include: bus
-- Members of a sorted set of moments whose time has come, by Redis' own clock: that of whoever asks may be hours off.
--
-- KEYS[4] moments   sorted set, by ms since 1970
-- ARGV[4] ago       how many ms ago a member's moment must have been
-- ARGV[5] limit     how many to return at most, the oldest first
return redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', number(now_ms - tonumber(ARGV[4])), 'LIMIT', 0, ARGV[5])
