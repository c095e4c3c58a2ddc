-- A session as its scripts see it: a table of the hash's fields, written back by save().
--
-- KEYS[4] session   hash: session_id session_name named status created_at score modified_at project_dir agent_name
--                   run began_at ended_at started attached guarded via lease_owner lease_until
--                   stop_id stop_at stop_confirmed confirmed_at
--                   prompt_id queued open halted (see report_hook.lua)
--                   lost (the run was given up for lost) restored_at (when it was put back from a backup)
--                   archive (the object with the oldest events, see agent_bus/archive.py)
--                   input_tokens output_tokens cache_read_tokens cache_write_tokens cost_nanos (see usage below)
-- KEYS[5] history   stream: id <event id>-0, field e (the event as JSON)
-- KEYS[6] index     sorted set of session ids by creation; beside it <index>:status:<status> and <index>:agent:<name>
-- KEYS[7] leases    sorted set of session ids by the moment (ms) their lease lapses
-- ARGV[4] session id
local id = ARGV[4]

local function load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local s = {}
  for i = 1, #flat, 2 do s[flat[i]] = flat[i + 1] end
  return s
end

local function connected(s)
  return s.lease_until ~= nil and tonumber(s.lease_until) > now_ms
end

-- "connected": a bridge holds the run. "hooks": the run is reported over HTTP and learns of a stop by its next report.
local function presence(s)
  if connected(s) then return 'connected' end
  if s.status == 'running' and s.via == 'hooks' then return 'hooks' end
  return 'none'
end

local CONFIRMED = { ['0'] = 'false', ['1'] = 'true' }

-- What `usage` events add up to. Costs are summed in billionths of a dollar, so that the sum does not drift.
local TOKENS = { 'input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_tokens' }
local NANOS = 1e9

local function usage_json(s)
  if not s[TOKENS[1]] then return 'null' end
  local parts = {}
  for i, field in ipairs(TOKENS) do parts[i] = '"' .. field .. '":' .. s[field] end
  return '{' .. table.concat(parts, ',') .. '}'
end

local function cost_json(s)
  if not s.cost_nanos then return 'null' end
  return string.format('%.9f', tonumber(s.cost_nanos) / NANOS)
end

local function moment(value)
  return value and '"' .. value .. '"' or 'null'
end

-- How many of its events are in the archive.
local function archived_events(s)
  return s.archive and tonumber(string.match(s.archive, '%d+$')) or 0
end

-- The session has no events any more in the object that its field `archive` names. archived: sorted set of the archive's
-- objects; those in use at infinity, others by the moment (ms) they ceased to be.
local function let_go(s, archived)
  if s.archive then redis.call('ZADD', archived, now_ms, string.match(s.archive, '^%S+')) end
end

-- history: the session's, where it is not the one that the script was called for.
local function session_json(s, history)
  return '{"session_id":' .. text(s.session_id) .. ',"session_name":' .. text(s.session_name)
    .. ',"status":"' .. s.status .. '","created_at":"' .. s.created_at .. '","modified_at":"' .. s.modified_at
    .. '","project_dir":' .. text(s.project_dir) .. ',"agent_name":' .. text(s.agent_name)
    .. ',"presence":"' .. presence(s) .. '","stop_confirmed":' .. (CONFIRMED[s.stop_confirmed] or 'null')
    .. ',"usage":' .. usage_json(s) .. ',"cost_usd":' .. cost_json(s) .. ',"run":"' .. s.run
    .. '","events":' .. number(archived_events(s) + redis.call('XLEN', history or KEYS[5])) .. ',"started_at":' .. moment(s.began_at)
    .. ',"ended_at":' .. moment(s.ended_at) .. ',"stop_requested_at":' .. moment(s.stop_at)
    .. ',"stop_confirmed_at":' .. moment(s.confirmed_at) .. '}'
end

-- Adds what a `usage` event says; rest is the event without its opening brace. Returns whether anything was added.
local function count_usage(s, rest)
  local decoded, event = pcall(cjson.decode, '{' .. rest)
  if not decoded then return false end
  local added = false
  local function plausible(value) return type(value) == 'number' and value > 0 and value < 1e12 end
  for _, field in ipairs(TOKENS) do
    if plausible(event[field]) then
      s[field] = number(tonumber(s[field] or '0') + math.floor(event[field]))
      added = true
    end
  end
  if plausible(event.cost_usd) then
    s.cost_nanos = number(tonumber(s.cost_nanos or '0') + math.floor(event.cost_usd * NANOS + 0.5))
    added = true
  end
  if added then
    for _, field in ipairs(TOKENS) do s[field] = s[field] or '0' end
  end
  return added
end

local function announce(s, kind)
  emit(s.session_id, kind, function() return '"session":' .. session_json(s) .. '}' end)
end

-- Writes what differs from before (the table load() gave, or nil for a new session), moves the indexes with it, and adds
-- to the statistics what was accepted before.
local function save(s, before)
  before = before or {}
  local set, gone = {}, {}
  for field, value in pairs(s) do
    if before[field] ~= value then
      set[#set + 1] = field
      set[#set + 1] = value
    end
  end
  for field in pairs(before) do
    if s[field] == nil then gone[#gone + 1] = field end
  end
  if #gone > 0 then redis.call('HDEL', KEYS[4], unpack(gone)) end
  if #set > 0 then redis.call('HSET', KEYS[4], unpack(set)) end
  if before.score == nil then redis.call('ZADD', KEYS[6], s.score, id) end
  for _, facet in ipairs({ 'status', 'agent_name' }) do
    if before[facet] ~= s[facet] then
      local index = KEYS[6] .. (facet == 'status' and ':status:' or ':agent:')
      if before[facet] then redis.call('ZREM', index .. before[facet], id) end
      if s[facet] then redis.call('ZADD', index .. s[facet], s.score, id) end
    end
  end
  write_counts()
end

local function copy(s)
  local c = {}
  for field, value in pairs(s) do c[field] = value end
  return c
end

local function touch(s)
  if now_iso > s.modified_at then s.modified_at = now_iso end
end

local function new_session(name, timestamp, score)
  return {
    session_id = id, session_name = name, status = 'running', created_at = timestamp, score = score,
    modified_at = now_iso,
  }
end

-- A run is named by the counter's value when it began: unique in the system, and growing.
local function begin_run(s)
  s.run = number((tonumber(redis.call('GET', KEYS[1])) or 0) + 1)
  s.status = 'running'
  s.began_at, s.ended_at = now_iso, nil
  s.started, s.attached, s.guarded, s.via = nil, nil, nil, nil
  s.prompt_id, s.queued, s.open, s.halted = nil, nil, nil, nil
  s.stop_id, s.stop_at, s.stop_confirmed, s.confirmed_at = nil, nil, nil, nil
  s.lost, s.restored_at = nil, nil
  s.lease_owner, s.lease_until = nil, nil
  redis.call('ZREM', KEYS[7], id)
  runs_begun = runs_begun + 1
end

-- A run has one end: what becomes known of it later does not move it.
local function end_run(s, status)
  s.status = status
  s.ended_at = s.ended_at or now_iso
end

local function confirm_stop(s)
  s.stop_confirmed = '1'
  s.confirmed_at = s.confirmed_at or now_iso
end

local function hold_lease(s, owner, ttl_ms)
  s.lease_owner = owner
  s.lease_until = number(now_ms + ttl_ms)
  s.attached = '1'
  redis.call('ZADD', KEYS[7], s.lease_until, id)
end

local function drop_lease(s)
  s.lease_owner, s.lease_until = nil, nil
  redis.call('ZREM', KEYS[7], id)
end

-- What describes a session is filled in by what reports on it, but a name given by a person stays.
-- Returns whether anything changed.
local function describe(s, name, project_dir, agent_name)
  local changed = false
  if not s.named and name ~= '' and name ~= id and name ~= s.session_name then
    s.session_name, changed = name, true
  end
  if not s.project_dir and project_dir ~= '' then s.project_dir, changed = project_dir, true end
  if not s.agent_name and agent_name ~= '' then s.agent_name, changed = agent_name, true end
  return changed
end

-- rest: the event as a JSON object without its opening brace and its id. outcome: the tool's that it tells, or nil.
local function append_event(rest, outcome)
  local event
  local seq = emit(id, 'event', function(n)
    event = '{"id":' .. n .. ',' .. rest
    return '"data":' .. event .. '}'
  end)
  redis.call('XADD', KEYS[5], seq .. '-0', 'e', event)
  count_event(outcome)
  return seq
end

-- The stop that waits for the current run, as its agent is told; '' where there is none.
local function stop_command(s)
  if not s.stop_id then return '' end
  return '{"command":"stop","command_id":' .. text(s.stop_id) .. ',"session_id":' .. text(id)
    .. ',"run":' .. s.run .. ',"requested_at":"' .. s.stop_at .. '"}'
end

-- The stop that whoever holds the lease still has to see to. One that guards the program of a run that is over has none.
local function command_for_holder(s)
  if s.guarded or s.stop_confirmed == '1' then return '' end
  return stop_command(s)
end
