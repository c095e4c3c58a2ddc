-- include: bus
-- Takes a ticket: whoever comes second with it, here or at another replica, finds none.
--
-- KEYS[4] ticket  string, expiring: whom it was given to
-- Returns that, or nothing.
local holder = redis.call('GET', KEYS[4])
if holder then redis.call('DEL', KEYS[4]) end
return holder
