-- include: bus statistics session
-- A hook of an agent's program says what the program is about to do or has done, and learns whether it may go on.
--
-- Turns of a program that stays open between them are runs of one session: a prompt begins one, its answer ends it.
-- In the session: prompt_id names the turn's prompt; queued says that another prompt waits for the turn to end or to take
-- it in; open holds what has begun and not ended, each followed by a space: tool uses, those of subagents as
-- <agent>/<tool use>, and subagents as agent:<agent>; halted is when (ms) the program was last told not to go on.
--
-- KEYS[8] halted    sorted set of session ids by the moment (ms) they were told not to go on (see confirm_halt.lua)
-- KEYS[9] control   the session's control channel
-- ARGV[5] kind      'start' of the program · 'prompt' of a person · 'wake': a prompt that nobody typed · 'tool' about to be
--                   used · 'used': tools have ended · 'batch': so have all of an answer's · 'begun', 'done': a subagent
--                   · 'end' of the turn · 'exit' of the program · 'other'
-- ARGV[6] prompt id of the turn, or ''
-- ARGV[7] open      what begins or has ended, as the session keeps it
-- ARGV[8] agent     the subagent that the hook is of, as the session keeps it, or ''
-- ARGV[9] timestamp of the events, ARGV[10] the same in µs
-- ARGV[11] a name for a session that has none, ARGV[12] project dir, ARGV[13] agent name
-- ARGV[14] the event that begins a run, ARGV[15] the one that ends it, ARGV[16] the one that ends a stopped run
-- ARGV[17] on: the events to keep, two for each: its type (with a tool's outcome, see statistics.lua), and the event.
-- All events are JSON without opening brace and id.
-- Returns {'go' or 'halt', run}. 'halt': somebody wants the run to end, and the program is to be told so; note_halt.lua
-- says that it has been.
local kind, prompt_id, uses, agent = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local timestamp, score, name, project_dir, agent_name = ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local START, FINISH, STOPPED, EVENTS = 14, 15, 16, 17
-- More than any program has open; what is beyond is not waited for.
local MOST_OPEN = 8192
local BEGINS = { tool = true, begun = true }
local ENDS = { used = true, batch = true, done = true, wake = true }
local ASKS = { prompt = true, wake = true, tool = true, used = true, batch = true }

local before = load(KEYS[4])
local s = before and copy(before) or new_session(name, timestamp, score)
local stopping = s.stop_id ~= nil

-- Whether a prompt that comes while the run is to stop belongs to it: one that was typed while the agent worked has the
-- turn's id. A program that is being ended by its bridge, and one that has not been told yet, has no other; one that has
-- taken the session up since, and one that has obeyed, have none of it.
local function of_the_stopped_run()
  if s.guarded or s.stop_confirmed == '1' then return false end
  if connected(s) then return true end
  if prompt_id ~= '' and s.prompt_id then return prompt_id == s.prompt_id end
  return not s.halted
end

local function begins_a_run()
  if not before then return true end
  if kind == 'start' then return not (s.status == 'running' and connected(s) and not stopping) end
  if kind == 'prompt' and stopping then return not of_the_stopped_run() end
  return (kind == 'prompt' or kind == 'wake' or kind == 'tool') and s.status == 'finished' and not stopping
end

local began = begins_a_run()
if began then
  -- A person goes on before the settling time is over: the run before has ended as it was told to.
  if s.stop_confirmed == '0' and s.halted and not s.open then append_event(ARGV[STOPPED]) end
  local owner, till = s.lease_owner, s.lease_until
  local held = connected(s)
  begin_run(s)
  if held then
    -- Whoever guards the program guards its next run too, and is told that there is one.
    hold_lease(s, owner, tonumber(till) - now_ms)
    redis.call('PUBLISH', KEYS[9], '{"command":"renew","run":' .. s.run .. '}')
  end
  s.started = '1'
  stopping = false
end
-- A name that it has already is not replaced by the next prompt's.
local changed = describe(s, s.session_name == id and name or '', project_dir, agent_name) or s.via ~= 'hooks'
s.via = 'hooks'
touch(s)

local halt = stopping and ASKS[kind] or false

-- Keeps of what is open that for which `stays` holds.
local function keep_open(stays)
  local kept = {}
  for use in string.gmatch(s.open or '', '[^ ]+ ') do
    if stays(use) then kept[#kept + 1] = use end
  end
  s.open = #kept > 0 and table.concat(kept) or nil
end

if prompt_id ~= '' and not stopping and prompt_id ~= s.prompt_id and not ENDS[kind] then
  -- Another turn of the program's own; subagents in the background go on.
  s.prompt_id, s.queued = prompt_id, nil
  keep_open(function(use) return string.find(use, '[:/]') ~= nil end)
elseif kind == 'prompt' and not began and not halt and prompt_id ~= '' then
  s.queued = '1'
end
if kind == 'batch' and not halt or kind == 'tool' and halt then s.queued = nil end
if BEGINS[kind] and not halt and #(s.open or '') < MOST_OPEN then
  s.open = (s.open or '') .. uses
elseif ENDS[kind] or halt then
  -- A subagent that is told not to go on says no more.
  local ended = ' ' .. (ENDS[kind] and uses or '') .. (halt and agent or '')
  keep_open(function(use) return not string.find(ended, ' ' .. use, 1, true) end)
end
if s.open == '' then s.open = nil end
if stopping and s.halted and ENDS[kind] then
  s.halted = number(now_ms)
  redis.call('ZADD', KEYS[8], s.halted, id)
end
-- It was said to have ceased, and goes on. What a program that was ended had still to say does not tell that.
if halt and s.stop_confirmed == '1' and (s.halted or not ENDS[kind]) then
  s.stop_confirmed, s.confirmed_at, changed = '0', nil, true
end

if began or changed then announce(s, before and 'session_updated' or 'session_created') end
if began then append_event(ARGV[START]) end
for i = EVENTS, #ARGV, 2 do
  local _, outcome = type_and_outcome(ARGV[i])
  append_event(ARGV[i + 1], outcome)
end

-- The end of a turn is the beginning of the next where a prompt waits for it; one that was halted has had its end.
local over = kind == 'end' and not (s.queued and not s.halted) or kind == 'exit' and not connected(s)
if kind == 'end' then s.queued = nil end
if over then
  s.open = nil
  if s.status == 'running' and not stopping then
    end_run(s, 'finished')
    append_event(ARGV[FINISH])
    announce(s, 'session_updated')
  elseif s.stop_confirmed == '0' and connected(s) then
    -- The bridge confirms it; should the bridge be lost, this is known.
    s.halted = number(now_ms)
    redis.call('ZADD', KEYS[8], s.halted, id)
  elseif s.stop_confirmed == '0' then
    end_run(s, 'stopped')
    confirm_stop(s)
    append_event(ARGV[STOPPED])
    announce(s, 'session_updated')
  end
end
save(s, before)
return { halt and 'halt' or 'go', s.run }
