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
    for i, index in ipairs(fields) do
      arguments[3 * i - 2], arguments[3 * i - 1], arguments[3 * i] = 'GET', 'u8', '#' .. index
    end
    values = redis.call('BITFIELD', target.key, unpack(arguments))
  end
  for i, field in ipairs(fields) do
    target.read[field] = values[i]
  end
end

local function fetch(target, fields)
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
  local set, removed = {}, {}
  for field, value in pairs(target.put) do
    if value == false then
      removed[#removed + 1] = field
    elseif target.kind == 'hash' then
      set[#set + 1] = field
      set[#set + 1] = value
    elseif target.kind == 'zset' then
      set[#set + 1] = value
      set[#set + 1] = field
    else
      set[#set + 1] = 'SET'
      set[#set + 1] = 'u8'
      set[#set + 1] = '#' .. field
      set[#set + 1] = value
    end
  end
  if target.kind == 'hash' then
    call_many('HSET', target.key, set)
    call_many('HDEL', target.key, removed)
  elseif target.kind == 'zset' then
    call_many('ZADD', target.key, set)
    call_many('ZREM', target.key, removed)
  else
    call_many('BITFIELD', target.key, set)
  end
end
