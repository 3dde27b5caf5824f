-- arguments: ARGV read from front to back. A missing or malformed one is a bug of the server: the call errors before anything is written.

local argument_at = 0

local function argument()
  argument_at = argument_at + 1
  -- In brackets: assert answers its message too.
  return (assert(ARGV[argument_at], 'argument missing'))
end

-- The next `count` arguments at once.
local function next_arguments(count)
  local first = argument_at + 1
  argument_at = argument_at + count
  assert(ARGV[argument_at], 'argument missing')
  return unpack(ARGV, first, argument_at)
end

local function argument_number()
  return (assert(tonumber(argument()), 'argument is no number'))
end
