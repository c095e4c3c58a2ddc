-- The one job that brings the tag aggregate up to date.

-- Whether the caller is to enqueue a job: not while one waits in the queue, nor while another is on its way there or
-- running. The mark expires, so that a job lost with its worker or a failed enqueuing keeps no later one away.
local function request_job(pending, queue, ttl_ms)
  if redis.call('LLEN', queue) > 0 then return 0 end
  -- A Redis without memory refuses the mark; whoever reads then counts for itself, as without workers.
  local marked = redis.pcall('SET', pending, '1', 'NX', 'PX', ttl_ms)
  return marked and not marked.err and 1 or 0
end
