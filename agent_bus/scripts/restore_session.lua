-- include: bus statistics session
-- Puts back a session, whose events are in the archive. Nobody holds it: a bridge that still runs comes by itself.
--
-- KEYS[8] archived     the archive's objects, see let_go() in session.lua
-- KEYS[9] halted       sorted set of session ids by the moment (ms) they were told not to go on
-- KEYS[10] restoration see begin_restoration.lua
-- ARGV[5] entry        its number in the backup, from 1
-- ARGV[6] archive      what the field of that name becomes; '' if it has no events
-- ARGV[7…] the hash's other fields and values
-- Returns 1; 0 if it had been put back before; -1 if there is one of that id whose events can't lie above these.
local archive = ARGV[6]
local there = load(KEYS[4])
if tonumber(redis.call('HGET', KEYS[10], 'done') or '0') >= tonumber(ARGV[5]) then
  -- The answer to the first try was lost, or somebody else is at it, too.
  return there and there.archive == archive and 1 or 0
end
local s = {}
for i = 7, #ARGV, 2 do s[ARGV[i]] = ARGV[i + 1] end

if there then
  -- It has begun anew since the restoration did: what it was lies beneath what it is.
  if there.archive then return -1 end
  local was = s
  s = copy(there)
  s.created_at, s.score = was.created_at, was.score
  if was.named and not s.named then s.session_name, s.named = was.session_name, was.named end
  s.project_dir, s.agent_name = s.project_dir or was.project_dir, s.agent_name or was.agent_name
  for _, field in ipairs({ 'cost_nanos', unpack(TOKENS) }) do
    if was[field] then s[field] = number(tonumber(s[field] or '0') + tonumber(was[field])) end
  end
  -- Its place in the index of its agent's sessions may be new, or another.
  if there.agent_name then redis.call('ZREM', KEYS[6] .. ':agent:' .. there.agent_name, id) end
else
  if s.status == 'running' then s.restored_at = now_iso end
  -- A stop that was under way is over, as for any agent that is gone.
  if s.status == 'running' and s.stop_id then redis.call('ZADD', KEYS[7], 0, id) end
  if s.halted and s.stop_confirmed == '0' then redis.call('ZADD', KEYS[9], s.halted, id) end
end
if archive ~= '' then
  s.archive = archive
  redis.call('ZADD', KEYS[8], '+inf', string.match(archive, '^%S+'))
end
save(s, nil)
redis.call('HSET', KEYS[10], 'done', ARGV[5])
return 1
