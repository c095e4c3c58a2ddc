-- include: bus vital statistics session
-- A program has been told not to go on.
--
-- KEYS[8] halted    sorted set of session ids by the moment (ms) they were told not to go on
-- ARGV[5] run       the run that is to end; another one going now is left alone
-- Returns 1 if it was noted, else 0.
local before = load(KEYS[4])
if not before or before.run ~= ARGV[5] or not before.stop_id then return 0 end
local s = copy(before)
s.halted = number(now_ms)
save(s, before)
redis.call('ZADD', KEYS[8], s.halted, id)
return 1
