-- What every script shares: the clock, and one more message on the bus.
--
-- KEYS[1] counter  the last number given
-- KEYS[2] stream   the replay window: id <number>-0, fields s (session id or ''), m (message)
-- KEYS[3] epoch    names the past that the counter counts; made together with it
-- ARGV[1] live     channel that carries each message as it is made
-- ARGV[2] window   how many messages the stream keeps at least
-- ARGV[3] newborn  the epoch to take where there is none yet

-- Redis 6.2 replicates a script by its effects only when asked to; the clock is read below.
if redis.replicate_commands then redis.replicate_commands() end

local clock = redis.call('TIME')
local now_ms = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)

-- Days to civil date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
local function iso(seconds, micros)
  local days = math.floor(seconds / 86400)
  local rest = seconds - days * 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%06d+00:00', year, month, day,
    math.floor(rest / 3600), math.floor(rest % 3600 / 60), rest % 60, micros)
end

local now_iso = iso(tonumber(clock[1]), tonumber(clock[2]))

local UNESCAPED = { ['/'] = '/' }

-- A string, or nothing, as JSON. cjson also escapes slashes, which JSON allows and nobody likes to read.
local function text(value)
  if value == nil then return 'null' end
  return (string.gsub(cjson.encode(value), '\\(.)', UNESCAPED))
end

local function number(value)
  return string.format('%.0f', value)
end

local epoch

-- Gives the next number to a message, keeps it in the replay window and publishes it.
-- kind: the message's type. body: function(number) -> the rest of the JSON object, after "seq", with its closing brace.
-- Published as "<epoch> <number> <bytes of session id> <session id><message>", so that a relay reads no JSON.
local function emit(session_id, kind, body)
  epoch = epoch or redis.call('GET', KEYS[3])
  if not epoch then
    epoch = ARGV[3]
    redis.call('SET', KEYS[3], epoch)
  end
  local seq = number(redis.call('INCR', KEYS[1]))
  local message = '{"type":"' .. kind .. '","seq":' .. seq .. ',' .. body(seq)
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[2], seq .. '-0', 's', session_id, 'm', message)
  redis.call('PUBLISH', ARGV[1], epoch .. ' ' .. seq .. ' ' .. #session_id .. ' ' .. session_id .. message)
  return seq
end
