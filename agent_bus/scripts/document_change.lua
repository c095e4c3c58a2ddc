-- What the scripts that change a document share.
--
-- KEYS[4] document   its hash
-- KEYS[5] documents  sorted set of all ids by creation
-- KEYS[6] filenames  hash: id to file name
-- KEYS[7] tags       set of the tags in use
-- KEYS[8] version    grows with every change of any document's tags
-- KEYS[9] pending    a job that will look at the newest tags is on its way
-- KEYS[10] queue     RQ's list of the jobs that wait
-- ARGV[4] document id
-- ARGV[5] url base   what a document's url begins with
-- ARGV[6] tag prefix of the tags' sorted sets
-- ARGV[7] ttl        of the pending mark, in ms
local id = ARGV[4]

-- Moves the document from some tags' sets to others'. Returns whether the caller is to enqueue the aggregate's job.
local function retag(before, after, score)
  local had, has, changed = set_of(before), set_of(after), false
  for _, name in ipairs(before) do
    if not has[name] then
      redis.call('ZREM', ARGV[6] .. name, id)
      if redis.call('EXISTS', ARGV[6] .. name) == 0 then redis.call('SREM', KEYS[7], name) end
      changed = true
    end
  end
  for _, name in ipairs(after) do
    if not had[name] then
      redis.call('ZADD', ARGV[6] .. name, score, id)
      redis.call('SADD', KEYS[7], name)
      changed = true
    end
  end
  if not changed then return 0 end
  redis.call('INCR', KEYS[8])
  return request_job(KEYS[9], KEYS[10], ARGV[7])
end

local function announce(d, kind)
  return emit('', kind, function() return '"document":' .. document_json(d, ARGV[5]) .. '}' end)
end

-- expected: '' for any version, else the versions that the caller would change, each between commas.
local function expects(expected, d)
  return expected == '' or string.find(expected, ',' .. d.version .. ',', 1, true) ~= nil
end
