-- include: bus vital statistics session
-- Asks the agent of the current run to stop.
--
-- KEYS[8] control   the session's control channel
-- ARGV[5] command   id of this command; a run keeps its first one, so pressing twice asks once
-- Returns {'unknown'}, or {'ended' | 'unattended' | 'sent', session as JSON, run}:
-- ended: it was over already. unattended: nobody was connected; it is stopped, and the command waits for the run's agent.
-- sent: the agent was told, and confirms by acknowledge_stop.
local before = load(KEYS[4])
if not before then return { 'unknown' } end
if before.status ~= 'running' then return { 'ended', session_json(before), before.run } end

local s = copy(before)
local asked = s.stop_id ~= nil
if not asked then
  s.stop_id, s.stop_at, s.stop_confirmed = ARGV[5], now_iso, '0'
end
touch(s)
if connected(s) then
  save(s, before)
  if not asked then announce(s, 'stop_requested') end
  redis.call('PUBLISH', KEYS[8], stop_command(s))
  return { 'sent', session_json(s), s.run }
end
end_run(s, 'stopped')
save(s, before)
announce(s, 'session_updated')
redis.call('PUBLISH', KEYS[8], stop_command(s))
return { 'unattended', session_json(s), s.run }
