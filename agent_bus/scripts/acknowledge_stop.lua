-- include: bus vital statistics session
-- The agent of a run has ceased because it was asked to.
--
-- ARGV[5] run      the run that was stopped; another one going now is left alone
-- ARGV[6] the closing event as JSON without opening brace and id
-- ARGV[7] command  id of the stop that was obeyed; '' or nothing where that is not known
-- Returns 'stopped', 'repeated' (confirmed before), 'stale' (another run, or none was asked for) or 'unknown'.
local before = load(KEYS[4])
if not before then return 'unknown' end
local lost = not before.stop_id and before.status == 'running' and (ARGV[7] or '') ~= ''
if before.run ~= ARGV[5] or not (before.stop_id or lost) then return 'stale' end
if before.status == 'stopped' and before.stop_confirmed == '1' then return 'repeated' end

local s = copy(before)
-- A primary that was replaced took the stop with it; its agent has ceased all the same.
if lost then s.stop_id, s.stop_at = ARGV[7], now_iso end
end_run(s, 'stopped')
confirm_stop(s)
drop_lease(s)
touch(s)
append_event(ARGV[6])
save(s, before)
announce(s, 'session_updated')
return 'stopped'
