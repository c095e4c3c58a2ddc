-- include: bus
-- A process states which version of the bus's contract it speaks (see contract.py).
--
-- KEYS[4] contract  the version in force: '<major>.<minor>'
-- ARGV[4] major, ARGV[5] minor, of the process
-- Returns the version in force now: the process's, unless a newer one was, or what is not understood.
local stated = redis.call('GET', KEYS[4])
local mine = ARGV[4] .. '.' .. ARGV[5]
if stated == mine then return stated end
if stated then
  local major, minor = string.match(stated, '^(%d+)%.(%d+)$')
  if not major then return stated end
  major, minor = tonumber(major), tonumber(minor)
  if major > tonumber(ARGV[4]) or (major == tonumber(ARGV[4]) and minor > tonumber(ARGV[5])) then return stated end
end
redis.call('SET', KEYS[4], mine)
return mine
