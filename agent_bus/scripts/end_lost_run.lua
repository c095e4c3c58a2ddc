-- include: bus statistics session
-- Ends a run that nobody has heard of for so long that its agent must be lost: it has finished, for nobody stopped it.
--
-- ARGV[5] silence   seconds without a lease and without an event
-- ARGV[6] the event that ends the run, as JSON without opening brace and id
-- Returns 1 if the run was ended, else 0.
local before = load(KEYS[4])
if not before or before.status ~= 'running' or connected(before) then return 0 end
-- In one that was put back from a backup, its bridge has been able to say something only since then.
local since = before.modified_at
if before.restored_at and before.restored_at > since then since = before.restored_at end
if since > iso(tonumber(clock[1]) - tonumber(ARGV[5]), tonumber(clock[2])) then return 0 end
local s = copy(before)
end_run(s, 'finished')
s.lost = '1'
touch(s)
append_event(ARGV[6])
save(s, before)
announce(s, 'session_updated')
return 1
