-- include: bus tag_job
-- The tag aggregate as it was last materialised; one that is behind gets a job.
--
-- KEYS[4] version, KEYS[5] aggregate, KEYS[6] pending, KEYS[7] queue; ARGV[4] ttl of the pending mark, in ms
-- Returns {version of the tags, version of the aggregate or '', tags as JSON or '', whether to enqueue}.
local version = redis.call('GET', KEYS[4]) or '0'
local aggregate = redis.call('HMGET', KEYS[5], 'version', 'tags')
local enqueue = 0
if aggregate[1] ~= version or not aggregate[2] then enqueue = request_job(KEYS[6], KEYS[7], ARGV[4]) end
return { version, aggregate[1] or '', aggregate[2] or '', enqueue }
