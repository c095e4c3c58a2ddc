-- What scripts count of what they accept, by the server's clock: one hash for each stretch of time, for charts.
--
-- KEYS[6] index     beside it <index>:statistics:<start in s>, hash, expiring: events, sessions (runs begun), uses:<tool>
--                   and errors:<tool>, names (how many different tools, `other` not counted)
local BUCKET_SECONDS = 300
local KEPT_SECONDS = 8 * 86400
local MOST_TOOLS = 100
-- Tools beyond the bound, and those without a name.
local OTHER = 'other'

local events, runs_begun, uses, errors = 0, 0, nil, nil

-- What a caller says an event is: its type, and after it, where a tool's use has ended, whether it failed and the tool:
-- 'post_tool 0 Bash', 'post_tool 1 Bash'. Returns the type, and the rest or nil.
local function type_and_outcome(said)
  local space = string.find(said, ' ', 1, true)
  if not space then return said, nil end
  return string.sub(said, 1, space - 1), string.sub(said, space + 1)
end

local function count_event(outcome)
  events = events + 1
  if not outcome then return end
  uses, errors = uses or {}, errors or {}
  local tool = string.sub(outcome, 3)
  if tool == '' then tool = OTHER end
  uses[tool] = (uses[tool] or 0) + 1
  if string.sub(outcome, 1, 1) == '1' then errors[tool] = (errors[tool] or 0) + 1 end
end

-- Adds up what the script has accepted, once for all of it.
local function write_counts()
  if events == 0 then return end
  local seconds = tonumber(clock[1])
  local bucket = KEYS[6] .. ':statistics:' .. number(seconds - seconds % BUCKET_SECONDS)
  if redis.call('HINCRBY', bucket, 'events', events) == events then redis.call('EXPIRE', bucket, KEPT_SECONDS) end
  if runs_begun > 0 then redis.call('HINCRBY', bucket, 'sessions', runs_begun) end
  if not uses then return end
  for tool, count in pairs(uses) do
    local name = tool
    -- A tool that is new to the bucket may be one too many.
    if redis.call('HINCRBY', bucket, 'uses:' .. name, count) == count and name ~= OTHER
      and redis.call('HINCRBY', bucket, 'names', 1) > MOST_TOOLS then
      redis.call('HINCRBY', bucket, 'names', -1)
      redis.call('HDEL', bucket, 'uses:' .. name)
      name = OTHER
      redis.call('HINCRBY', bucket, 'uses:' .. name, count)
    end
    if errors[tool] then redis.call('HINCRBY', bucket, 'errors:' .. name, errors[tool]) end
  end
end
