-- include: bus session
-- A hook of an agent's program says what the program is about to do or has done, and learns whether it may go on.
--
-- Turns of a program that stays open between them are runs of one session: a prompt begins one, its answer ends it.
-- In the session: prompt_id names the turn's prompt; tools are the ids of the tool uses that have begun and not ended,
-- each followed by a space; halted is the moment (ms) at which the program was last told not to go on.
--
-- KEYS[8] halted    sorted set of session ids by the moment (ms) they were told not to go on (see confirm_halt.lua)
-- KEYS[9] control   the session's control channel
-- ARGV[5] kind      'start' of the program · 'prompt' of a person · 'wake': a prompt that nobody typed · 'tool' about to be
--                   used · 'used': tools have ended · 'end' of the turn · 'exit' of the program · 'other'
-- ARGV[6] prompt id of the turn, or ''
-- ARGV[7] tools     ids of tool uses, each followed by a space
-- ARGV[8] timestamp of the events, ARGV[9] the same in µs
-- ARGV[10] a name for a session that has none, ARGV[11] project dir, ARGV[12] agent
-- ARGV[13] the event that begins a run, ARGV[14] the one that ends it, ARGV[15] the one that ends a stopped run
-- ARGV[16] on: the events to keep. All are JSON without opening brace and id.
-- Returns {'go' or 'halt', run}. 'halt': somebody wants the run to end, and the program is to be told so.
local kind, prompt_id, tools = ARGV[5], ARGV[6], ARGV[7]
local timestamp, score, name, project_dir, agent_name = ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12]
local START, FINISH, STOPPED, EVENTS = 13, 14, 15, 16
-- More open tool uses than any program has; what is beyond is not waited for.
local MOST_TOOLS = 8192

local before = load(KEYS[4])
local s = before and copy(before) or new_session(name, timestamp, score)
local stopping = s.stop_id ~= nil

-- Whether a prompt that comes while the run is to stop belongs to it: one that was typed while the agent worked has the
-- turn's id. A program that is being ended by its bridge, and one that has not been told yet, has no other; one that has
-- taken the session up since has none of it.
local function of_the_stopped_run()
  if s.guarded then return false end
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

local halt = stopping and (kind == 'prompt' or kind == 'wake' or kind == 'tool' or kind == 'used')
if prompt_id ~= '' and not stopping and prompt_id ~= s.prompt_id and kind ~= 'used' then
  s.prompt_id, s.tools = prompt_id, nil
end
if kind == 'tool' and not halt and tools ~= '' and #(s.tools or '') < MOST_TOOLS then
  s.tools = (s.tools or '') .. tools
elseif kind == 'used' and s.tools then
  local open = {}
  for use in string.gmatch(s.tools, '[^ ]+ ') do
    if not string.find(' ' .. tools, ' ' .. use, 1, true) then open[#open + 1] = use end
  end
  s.tools = #open > 0 and table.concat(open) or nil
end
if halt then
  s.halted = number(now_ms)
  redis.call('ZADD', KEYS[8], s.halted, id)
  -- It was said to have ceased, and goes on.
  if s.stop_confirmed == '1' and kind ~= 'used' then s.stop_confirmed, changed = '0', true end
end

if began or changed then announce(s, before and 'session_updated' or 'session_created') end
if began then append_event(ARGV[START]) end
for i = EVENTS, #ARGV do append_event(ARGV[i]) end

local over = kind == 'end' or (kind == 'exit' and not connected(s))
if over then
  s.tools = nil
  if s.status == 'running' and not stopping then
    s.status = 'finished'
    append_event(ARGV[FINISH])
    announce(s, 'session_updated')
  elseif s.stop_confirmed == '0' and not connected(s) then
    s.status, s.stop_confirmed = 'stopped', '1'
    append_event(ARGV[STOPPED])
    announce(s, 'session_updated')
  end
end
save(s, before)
return { halt and 'halt' or 'go', s.run }
