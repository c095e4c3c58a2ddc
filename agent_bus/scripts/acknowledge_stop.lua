-- include: bus vital statistics session
-- The agent of a run has ceased because it was asked to.
--
-- ARGV[5] run      the run that was stopped; another one going now is left alone
-- ARGV[6] the closing event as JSON without opening brace and id
-- Returns 'stopped', 'repeated' (confirmed before), 'stale' (another run, or none was asked for) or 'unknown'.
local before = load(KEYS[4])
if not before then return 'unknown' end
if before.run ~= ARGV[5] or not before.stop_id then return 'stale' end
if before.status == 'stopped' and before.stop_confirmed == '1' then return 'repeated' end

local s = copy(before)
end_run(s, 'stopped')
confirm_stop(s)
drop_lease(s)
touch(s)
append_event(ARGV[6])
save(s, before)
announce(s, 'session_updated')
return 'stopped'
