-- include: bus
-- Marks a document's id as being uploaded, so that its bytes are nobody's leftovers; or prolongs the mark.
--
-- KEYS[4] document  its hash
-- ARGV[4] mode      'begin' or 'renew'
-- ARGV[5] ttl       of the mark, in ms
-- Returns 1, or 0 if there is no mark to prolong.
if ARGV[4] == 'begin' then
  redis.call('HSET', KEYS[4], 'uploading', now_iso)
elseif redis.call('HEXISTS', KEYS[4], 'uploading') == 0 then
  return 0
end
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return 1
