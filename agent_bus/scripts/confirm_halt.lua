-- include: bus vital statistics session
-- A program that was told not to go on, and has not gone on since, has stopped.
-- The caller reads KEYS[8] for sessions that may be due; here it is looked at again, so that replicas may race.
--
-- KEYS[8] halted    sorted set of session ids by the moment (ms) they were told not to go on
-- ARGV[5] settle    for how long, in ms, nothing must have been begun or ended since
-- ARGV[6] the event that ends a stopped run, as JSON without opening brace and id
-- Returns 1 if the stop is confirmed now, else 0.
local before = load(KEYS[4])
if not before or not before.halted or before.stop_confirmed ~= '0' then
  redis.call('ZREM', KEYS[8], id)
  return 0
end
if now_ms < tonumber(before.halted) + tonumber(ARGV[5]) then return 0 end
if connected(before) then
  -- Its bridge knows better; should the bridge be lost, this will be looked at again.
  redis.call('ZADD', KEYS[8], now_ms, id)
  return 0
end
redis.call('ZREM', KEYS[8], id)
-- What had begun before is still at work, or a prompt that was typed before comes next: that comes by here again.
if before.open or before.queued then return 0 end
local s = copy(before)
end_run(s, 'stopped')
confirm_stop(s)
touch(s)
append_event(ARGV[6])
save(s, before)
announce(s, 'session_updated')
return 1
