-- count: adds up what a script touches, joined in front of all includes: an element for each argument behind a command's name and
-- for each value of a reply; a byte each of what GETRANGE answers and APPEND adds; a line each of a log entry; each entry that XTRIM drops.

local touched = 0
local lua_redis = redis

local function elements(value)
  if type(value) ~= 'table' then
    return 1
  end
  local sum = 0
  for _, item in ipairs(value) do
    sum = sum + elements(item)
  end
  return sum
end

local sizes = {}

function sizes.GETRANGE(_, reply)
  return #reply
end

function sizes.APPEND(arguments)
  return #arguments[2]
end

function sizes.XADD(arguments)
  local _, lines = string.gsub(arguments[#arguments], '\n', '')
  return lines
end

function sizes.XTRIM(_, reply)
  return reply
end

local redis = setmetatable({
  call = function(command, ...)
    local reply = lua_redis.call(command, ...)
    touched = touched + select('#', ...) + elements(reply)
    if sizes[command] then
      touched = touched + sizes[command]({ ... }, reply)
    end
    return reply
  end,
}, { __index = lua_redis })
