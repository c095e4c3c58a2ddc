-- include: bus statistics session
-- A page of sessions, newest first, together with the bus position that it is true at.
--
-- KEYS[6] the index to read (all sessions, those of a status, or those of an agent); KEYS[4], KEYS[5] are unused
-- ARGV[5] prefix  of the sessions' keys
-- ARGV[6] after   the session id that the page before ended with; '' for the first page
-- ARGV[7] score   that session's, should it be gone or have been created anew
-- ARGV[8] limit
-- ARGV[9] prefix  of their histories' keys
-- Returns {epoch or '', number, sessions in the index, last one's score, last one's id (both '' if none follows),
-- session as JSON…}.
local start = 0
if ARGV[6] ~= '' then
  local score = redis.call('ZSCORE', KEYS[6], ARGV[6])
  if score and tonumber(score) == tonumber(ARGV[7]) then
    start = redis.call('ZREVRANK', KEYS[6], ARGV[6]) + 1
  else
    -- It is gone, or another by now. Put back for a moment, it tells where it was, among others of its score too.
    redis.call('ZADD', KEYS[6], ARGV[7], ARGV[6])
    start = redis.call('ZREVRANK', KEYS[6], ARGV[6])
    if score then redis.call('ZADD', KEYS[6], score, ARGV[6]) else redis.call('ZREM', KEYS[6], ARGV[6]) end
  end
end
local page = redis.call('ZREVRANGE', KEYS[6], start, start + tonumber(ARGV[8]) - 1, 'WITHSCORES')
local found = {}
for i = 1, #page, 2 do
  local s = load(ARGV[5] .. page[i])
  if s then found[#found + 1] = session_json(s, ARGV[9] .. page[i]) end
end
local total = redis.call('ZCARD', KEYS[6])
local more = start + #page / 2 < total
return {
  redis.call('GET', KEYS[3]) or '', redis.call('GET', KEYS[1]) or '0', total,
  more and page[#page] or '', more and page[#page - 1] or '', unpack(found)
}
