-- A document as its scripts see it: a table of the hash's fields.
--
-- The hash: id filename content_type size_bytes checksum created_at updated_at updated_us (µs) tags (comma-separated)
-- metadata (JSON object of strings, without the description) description score version.
-- While the upload is going on it holds `uploading` only, and expires.

local function load(key)
  local flat = redis.call('HGETALL', key)
  local d = {}
  for i = 1, #flat, 2 do d[flat[i]] = flat[i + 1] end
  if not d.version then return nil end
  return d
end

local function split(tags)
  local names = {}
  for name in string.gmatch(tags, '[^,]+') do names[#names + 1] = name end
  return names
end

local function set_of(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

local function tags_json(tags)
  if tags == '' then return '[]' end
  return '["' .. string.gsub(tags, ',', '","') .. '"]'
end

local function metadata_json(d)
  if not d.description then return d.metadata end
  local others = string.sub(d.metadata, 2, -2)
  if others ~= '' then others = others .. ',' end
  return '{' .. others .. '"description":' .. text(d.description) .. '}'
end

local function document_json(d, url_base)
  return '{"id":"' .. d.id .. '","filename":' .. text(d.filename)
    .. ',"content_type":' .. text(d.content_type) .. ',"size_bytes":' .. d.size_bytes
    .. ',"checksum":"' .. d.checksum .. '","created_at":"' .. d.created_at .. '","updated_at":"' .. d.updated_at
    .. '","tags":' .. tags_json(d.tags) .. ',"metadata":' .. metadata_json(d)
    .. ',"url":' .. text(url_base .. d.id) .. '}'
end
