-- include: bus
-- All of a backup is there: whoever has seen some of it begins anew.
--
-- KEYS[4] restoration  see begin_restoration.lua
-- ARGV[4] backup       its id
-- Returns 1, or 0 if it had been said before.
if redis.call('HGET', KEYS[4], 'backup') ~= ARGV[4] then return 0 end
redis.call('SET', KEYS[3], ARGV[3])
redis.call('DEL', KEYS[4])
return 1
