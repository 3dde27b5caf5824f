-- open_log: a log is born, with its first entry; one that is born already is left as it is.
--
-- FLAGS    none
-- KEYS[1]  {c7}:meta or {w03}:meta   hash     write
-- KEYS[2]  {c7}:log or {w03}:log     stream   write
-- KEYS[3]  {c7}:policy               hash     write    concerts only
-- ARGV     log id, mark of the entry, epoch; for a concert: catalog version, policy version, JSON of the policy, then field, value, …
--          of the policy hash
-- OUTCOMES
--   { 'opened', log id, number, mark }
--   { 'exists', log id, number, mark }        retry: same answer    another id means: this is another's birth
-- INCLUDES text clock
-- COST     O(1); touches 80

local meta, log_key, policy = KEYS[1], KEYS[2], KEYS[3]
local known = redis.call('HMGET', meta, 'log_id', 'number', 'mark')
if known[1] then
  return { 'exists', known[1], tonumber(known[2]), known[3] }
end
if redis.call('EXISTS', log_key) == 1 then
  return redis.error_reply('ERR a log without its meta')
end

-- HSET would find a field without a value only when the log is born.
assert(not policy or #ARGV % 2 == 0, 'field without a value')

local log_id, mark, epoch = ARGV[1], ARGV[2], ARGV[3]
local now = clock(0)
local events = 'opened ' .. log_id .. ' ' .. epoch .. '\n'
if policy then
  events = events .. 'policy ' .. ARGV[5] .. ' ' .. prefixed(ARGV[6]) .. '\n'
end
redis.call('XADD', log_key, '1-0', 'e', '1 ' .. mark .. ' 0000000000000000 ' .. int(now) .. '\n' .. events)
redis.call('HSET', meta, 'format', '1', 'log_id', log_id, 'epoch', epoch, 'number', 1, 'mark', mark, 'time', int(now), 'trim', 0)
if policy then
  redis.call('HSET', meta, 'catalog', ARGV[4], 'policy', ARGV[5], 'seq', 0, 'shows', 0, 'sellable', 0, 'revenue', 0)
  redis.call('HSET', policy, 'json', ARGV[6], unpack(ARGV, 7))
end
return { 'opened', log_id, 1, mark }
