-- include: bus statistics session
-- Says that a session's whole history is in the archive, and lets go of what was in Redis of it. Nothing that anyone can
-- see changes, so no message tells of it.
--
-- KEYS[8] archived  the archive's objects, see let_go() in session.lua
-- ARGV[5] from      the session's field `archive` as it was read; '' for none
-- ARGV[6] to        what it becomes
-- ARGV[7] last      the id of the last event that went there
-- ARGV[8] silence   seconds without an event
-- Returns 1; 0 if the session is going on, has changed meanwhile or is gone; -1 if these are not all of its events.
local s = load(KEYS[4])
if not s then return 0 end
-- The answer to the first try was lost.
if s.archive == ARGV[6] then return 1 end
if s.status == 'running' or connected(s) or (s.archive or '') ~= ARGV[5] then return 0 end
if s.modified_at > iso(tonumber(clock[1]) - tonumber(ARGV[8]), tonumber(clock[2])) then return 0 end
local newest = redis.call('XREVRANGE', KEYS[5], '+', '-', 'COUNT', 1)
if #newest == 0 or newest[1][1] ~= ARGV[7] .. '-0' then return 0 end
if tonumber(string.match(ARGV[6], '%d+$')) ~= archived_events(s) + redis.call('XLEN', KEYS[5]) then return -1 end
let_go(s, KEYS[8])
redis.call('ZADD', KEYS[8], '+inf', string.match(ARGV[6], '^%S+'))
redis.call('HSET', KEYS[4], 'archive', ARGV[6])
redis.call('UNLINK', KEYS[5])
return 1
