-- include: bus
-- Puts back what describes a document, whose bytes are there. The indexes are made afterwards, all at once.
--
-- KEYS[4] document     its hash
-- KEYS[5] restoration  see begin_restoration.lua
-- ARGV[4] entry        its number in the backup, from 1
-- ARGV[5…] the hash's fields and values
-- Returns 1, or 0 if it had been put back before.
if tonumber(redis.call('HGET', KEYS[5], 'done') or '0') >= tonumber(ARGV[4]) then return 0 end
redis.call('HSET', KEYS[5], 'done', ARGV[4])
redis.call('HSET', KEYS[4], unpack(ARGV, 5))
return 1
