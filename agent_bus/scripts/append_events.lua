-- include: bus statistics session
-- Accepts events of one session, in order, with every change of status that they bring.
--
-- KEYS[8] produced  the number of the producer's last accepted event (expires); left out without a producer
-- ARGV[5] source    'http' or 'bridge'
-- ARGV[6] run       the run that the events belong to; '' means the current one, whichever that is
-- ARGV[7] owner     the bridge that sends them, as in its lease; '' over HTTP
-- ARGV[8] first     the first event's number in the producer's own count, so that a repeat is known; '0': not counted
-- ARGV[9] timestamp of the first event, ARGV[10] the same in µs, ARGV[11] session name, ARGV[12] project dir,
-- ARGV[13] agent name: what describes the session
-- ARGV[14] then two for each event: its type (with a tool's outcome, see statistics.lua), and the event as JSON without
-- opening brace and id
-- Returns {last event's id or '', stop command or '', run, events accepted now}.
local source, run, owner, first = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8])
local timestamp, score, name, project_dir, agent_name = ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local EVENTS = 14
local PRODUCER_SECONDS = 3600

local produced = 0
if first > 0 then produced = tonumber(redis.call('GET', KEYS[8]) or '0') end

-- Whether it is the turn at hand that was interrupted: its end shows in no hook (see report_hook.lua).
local function interrupts(session, rest)
  if session.status ~= 'running' or session.stop_id or not session.prompt_id then return false end
  local decoded, event = pcall(cjson.decode, '{' .. rest)
  return decoded and event.prompt_id == session.prompt_id
end

local before = load(KEYS[4])
local s = before and copy(before)
local last, accepted = '', 0

for i = EVENTS, #ARGV, 2 do
  local ordinal = first + (i - EVENTS) / 2
  if first == 0 or ordinal > produced then
    local kind, outcome = type_and_outcome(ARGV[i])
    local rest = ARGV[i + 1]
    local ours = s == nil or run == '' or run == s.run
    local changed = false
    if s == nil then
      s = new_session(name, timestamp, score)
      describe(s, name, project_dir, agent_name)
      begin_run(s)
      if kind == 'session_start' then s.started = '1' end
      if source == 'http' then s.via = 'hooks' end
      if kind == 'usage' then count_usage(s, rest) end
      announce(s, 'session_created')
    else
      changed = describe(s, name, project_dir, agent_name)
      if ours and kind == 'session_start' then
        -- A start that a connected agent's hooks report a second time is still the same run.
        if not (s.status == 'running' and connected(s) and not s.stop_id) then begin_run(s) end
        s.started = '1'
        changed = true
      end
      if ours and source == 'http' and s.via ~= 'hooks' then
        s.via, changed = 'hooks', true
      end
      touch(s)
      if kind == 'usage' and count_usage(s, rest) then changed = true end
      if changed and kind ~= 'session_stop' then announce(s, 'session_updated') end
    end
    last = append_event(rest, outcome)
    accepted = accepted + 1
    if ours and kind == 'turn_interrupted' and owner ~= '' and owner == s.lease_owner and interrupts(s, rest) then
      end_run(s, 'finished')
      s.open, s.queued = nil, nil
      announce(s, 'session_updated')
    end
    if ours and kind == 'session_stop' then
      if s.status == 'running' then
        end_run(s, 'finished')
        changed = true
      end
      -- An agent that was asked to stop and reports its end has stopped, whichever way it learned of it. While a
      -- bridge is connected, only the bridge knows.
      if s.stop_confirmed == '0' and (owner ~= '' or not connected(s)) then
        confirm_stop(s)
        changed = true
      end
      if owner ~= '' and owner == s.lease_owner then
        drop_lease(s)
        changed = true
      end
      if changed then announce(s, 'session_updated') end
    end
  end
end

if accepted > 0 then
  save(s, before)
  if first > 0 then
    redis.call('SET', KEYS[8], number(first + (#ARGV - EVENTS + 1) / 2 - 1), 'EX', PRODUCER_SECONDS)
  end
end
if s == nil then return { '', '', '', 0 } end
local mine = run == '' or run == s.run
return { last, mine and stop_command(s) or '', s.run, accepted }
