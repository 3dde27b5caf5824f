-- arguments: ARGV read from front to back. A missing or malformed one is a bug of the server: the call errors before anything is written.

local argument_at = 0

local function argument()
  argument_at = argument_at + 1
  -- In brackets: assert answers its message too.
  return (assert(ARGV[argument_at], 'argument missing'))
end

local function argument_number()
  return (assert(tonumber(argument()), 'argument is no number'))
end
