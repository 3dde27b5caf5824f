-- map: a key of Redis seen through a batch: what was read once, under what the batch has decided so far.
--
-- `fetch` reads many fields with one command; `get` reads a field that was not fetched; `put` (false: remove) only
-- decides; `flush` writes all decisions with one command, or a few at the bound below.

-- Arguments of one command: Lua's unpack ends near 8,000. A multiple of 2 and 4, the strides below.
local FLUSH_ARGUMENTS_MAX = 4000
-- Fields of one read: three arguments each at the most.
local FETCH_FIELDS_MAX = 1000

local function map(kind, key)
  return { kind = kind, key = key, read = {}, put = {} }
end

local function call_many(command, key, arguments)
  for first = 1, #arguments, FLUSH_ARGUMENTS_MAX do
    redis.call(command, key, unpack(arguments, first, math.min(first + FLUSH_ARGUMENTS_MAX - 1, #arguments)))
  end
end

local function fetch_some(target, fields)
  local values
  if target.kind == 'hash' then
    values = redis.call('HMGET', target.key, unpack(fields))
  elseif target.kind == 'zset' then
    values = redis.call('ZMSCORE', target.key, unpack(fields))
  else
    local arguments = {}
    for i = 1, #fields do
      arguments[3 * i - 2], arguments[3 * i - 1], arguments[3 * i] = 'GET', 'u8', '#' .. fields[i]
    end
    values = redis.call('BITFIELD', target.key, unpack(arguments))
  end
  local read = target.read
  for i = 1, #fields do
    read[fields[i]] = values[i]
  end
end

local function fetch(target, fields)
  if #fields == 0 then
    return
  end
  if #fields <= FETCH_FIELDS_MAX then
    fetch_some(target, fields)
    return
  end
  for first = 1, #fields, FETCH_FIELDS_MAX do
    fetch_some(target, { unpack(fields, first, math.min(first + FETCH_FIELDS_MAX - 1, #fields)) })
  end
end

-- The value of a field as this batch sees it; false if there is none.
local function get(target, field)
  local value = target.put[field]
  if value ~= nil then
    return value
  end
  if target.read[field] == nil then
    fetch(target, { field })
  end
  return target.read[field]
end

local function put(target, field, value)
  assign(target.put, field, value)
end

local function flush(target)
  if next(target.put) == nil then
    return
  end
  local kind, set, size, removed = target.kind, {}, 0, {}
  for field, value in pairs(target.put) do
    if value == false then
      removed[#removed + 1] = field
    elseif kind == 'hash' then
      set[size + 1], set[size + 2] = field, value
      size = size + 2
    elseif kind == 'zset' then
      set[size + 1], set[size + 2] = value, field
      size = size + 2
    else
      set[size + 1], set[size + 2], set[size + 3], set[size + 4] = 'SET', 'u8', '#' .. field, value
      size = size + 4
    end
  end
  if kind == 'hash' then
    call_many('HSET', target.key, set)
    call_many('HDEL', target.key, removed)
  elseif kind == 'zset' then
    call_many('ZADD', target.key, set)
    call_many('ZREM', target.key, removed)
  else
    call_many('BITFIELD', target.key, set)
  end
end
