-- For scripts that must run when Redis has no memory left: those by which agents are held and stopped need next to none.
-- Redis refuses a script then whose first write may need memory, and lets all others through. This one needs none and
-- changes nothing.
--
-- KEYS[4] session   its hash
redis.call('HDEL', KEYS[4], '')
