-- include: bus
-- Begins to put a backup into a namespace without sessions and documents, or goes on where that was interrupted.
--
-- KEYS[4] restoration  hash, while it goes on: backup (its id), done (how many of its entries are there)
-- KEYS[5] sessions, KEYS[6] documents: the sorted sets of all of them
-- ARGV[4] backup       its id
-- ARGV[5] last         the highest id in it
-- ARGV[6] skipped      so many numbers are left out: clients may have been given those right after the last one
-- Returns {'begun' | 'continued', entries done}, {'occupied', sessions, documents}, or {'another', entries done} where
-- another backup is being restored.
local going_on = redis.call('HGET', KEYS[4], 'backup')
local done = tonumber(redis.call('HGET', KEYS[4], 'done') or '0')
if going_on then return { going_on == ARGV[4] and 'continued' or 'another', done } end
local sessions, documents = redis.call('ZCARD', KEYS[5]), redis.call('ZCARD', KEYS[6])
if sessions > 0 or documents > 0 then return { 'occupied', sessions, documents } end
local current = tonumber(redis.call('GET', KEYS[1]) or '0')
redis.call('SET', KEYS[1], number(math.max(current, tonumber(ARGV[5])) + tonumber(ARGV[6])))
redis.call('SET', KEYS[3], ARGV[3])
redis.call('HSET', KEYS[4], 'backup', ARGV[4], 'done', '0')
return { 'begun', 0 }
