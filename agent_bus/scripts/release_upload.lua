-- include: bus document
-- Takes back the mark of an upload that failed.
--
-- KEYS[4] document  its hash
-- Returns 1 if the bytes belong to nobody, 0 if there is a document after all.
if load(KEYS[4]) then return 0 end
redis.call('DEL', KEYS[4])
return 1
