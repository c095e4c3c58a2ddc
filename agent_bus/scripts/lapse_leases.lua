-- include: bus vital statistics session
-- Tells the browsers of one session whose lease has lapsed; a stop that its agent did not live to confirm ends the run.
-- The caller reads KEYS[7] for sessions that may be due; here it is looked at again, so that replicas may race.
-- Returns 1 if there was something to tell, else 0.
local before = load(KEYS[4])
if not before then
  redis.call('ZREM', KEYS[7], id)
  return 0
end
if connected(before) or not redis.call('ZSCORE', KEYS[7], id) then return 0 end
redis.call('ZREM', KEYS[7], id)
local s = copy(before)
s.lease_until = nil
if s.status == 'running' and s.stop_id then end_run(s, 'stopped') end
touch(s)
save(s, before)
announce(s, 'session_updated')
return 1
