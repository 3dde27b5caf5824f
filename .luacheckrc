-- Scripts run in Redis: Lua 5.1 with `redis`, KEYS and ARGV. Includes are joined in front of a verb, so their local functions are
-- globals to a file looked at alone, and a verb need not use all of them.
std = "lua51"
max_line_length = 150
read_globals = { "redis", "KEYS", "ARGV" }
allow_defined_top = true
files["lua/lib/**/*.lua"] = { ignore = { "211", "241", "111", "112", "113", "131" } }
files["lua/*.lua"] = { ignore = { "111/admission", "112/admission", "113" } }
-- The preludes of the script tests stand between the includes, and shadow some of what those define.
files["tests/lua/*.lua"] = { ignore = { "211", "231", "111", "112", "113", "431" } }
