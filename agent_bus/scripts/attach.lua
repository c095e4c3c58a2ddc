-- include: bus vital statistics session
-- A bridge takes, or keeps, the lease of a session's run.
--
-- ARGV[5]  mode        'enter' begins a run, or joins one that no bridge has held yet; 'renew' keeps the lease;
--                      'guard' takes the lease of whichever run is going, else the lease alone, for runs that others will
--                      begin; so does 'resume', whose program is not the one that a stop before it was meant for
-- ARGV[6]  owner       names the bridge
-- ARGV[7]  ttl         the lease's length in ms
-- ARGV[8]  run         renew: the run that the bridge holds
-- ARGV[9]  timestamp   of the start event, and in ARGV[10] in µs
-- ARGV[11] name, ARGV[12] project dir, ARGV[13] agent name
-- ARGV[14] the start event as JSON without opening brace and id
-- Returns {'held' | 'superseded' | 'gone', run, stop command or ''}.
local mode, owner, ttl, run = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8]

local before = load(KEYS[4])

if mode == 'renew' then
  if not before then return { 'gone', '', '' } end
  local s = copy(before)
  local unheld = s.status == 'running' and not s.attached
  -- A run that began under a lease, as report_hook.lua does, goes with it.
  if s.run ~= run and not unheld and s.lease_owner ~= owner then return { 'superseded', s.run, '' } end
  if s.run == run and s.lease_owner and s.lease_owner ~= owner then return { 'superseded', s.run, '' } end
  if s.run == run and s.lost and not s.guarded then
    -- Nothing was heard of it for so long that it was given up; but here it is, and at work.
    begin_run(s)
    hold_lease(s, owner, ttl)
    touch(s)
    announce(s, 'session_updated')
    s.started = '1'
    append_event(ARGV[14])
    save(s, before)
    return { 'held', s.run, '' }
  end
  local returned = not connected(s)
  hold_lease(s, owner, ttl)
  save(s, before)
  if returned then announce(s, 'session_updated') end
  return { 'held', s.run, command_for_holder(s) }
end

if before and before.lease_owner == owner then
  -- The answer to the first try was lost; the run has begun already.
  local s = copy(before)
  local returned = not connected(s)
  hold_lease(s, owner, ttl)
  save(s, before)
  if returned then announce(s, 'session_updated') end
  return { 'held', s.run, command_for_holder(s) }
end

local guards = mode == 'guard' or mode == 'resume'
-- A second program that takes the session up waits for the first to leave: the lease is of one that works.
if guards and before and connected(before) then return { 'superseded', before.run, '' } end

local s = before and copy(before) or new_session(ARGV[11], ARGV[9], ARGV[10])
local joins_run = s.status == 'running' and (guards or not s.attached)
local joins_stop = s.status == 'stopped' and s.stop_confirmed == '0'
  and (mode == 'guard' or (mode == 'enter' and not s.attached))
local waiting = before and (joins_run or joins_stop)
if guards and before and not waiting then
  hold_lease(s, owner, ttl)
  s.guarded = '1'
  save(s, before)
  announce(s, 'session_updated')
  return { 'held', s.run, '' }
end
if not waiting then begin_run(s) end
describe(s, ARGV[11], ARGV[12], ARGV[13])
hold_lease(s, owner, ttl)
touch(s)
announce(s, before and 'session_updated' or 'session_created')
if not s.started then
  s.started = '1'
  append_event(ARGV[14])
end
save(s, before)
return { 'held', s.run, command_for_holder(s) }
