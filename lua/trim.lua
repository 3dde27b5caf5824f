-- trim: forgets the entries of a log up to a number that the archive has, a bounded step a call.
--
-- FLAGS    allow-oom: it only frees
-- KEYS[1]  {c7}:meta or {w03}:meta   hash     write    trim
-- KEYS[2]  {c7}:log or {w03}:log     stream   write
-- ARGV     what the server has seen of the log (lib/log.lua); then number: entries up to it may go
-- OUTCOMES
--   { 'trimmed', trim mark, last number }   retry: from there
-- INCLUDES text arguments clock journal map log
-- COST     O(entries), at most 1,000; touches 1,100

local STEP_MAX = 1000

local log = open_log(KEYS[1], KEYS[2], argument_seen(), LOG_FIELDS)
if log.lost then
  return lost_reply(log)
end

-- The last entry stays: a follower that is level with the log can still check its mark.
local target = math.min(argument_number(), log.trim + STEP_MAX, log.number - 1)
if target > log.trim then
  redis.call('HSET', KEYS[1], 'trim', int(target))
  redis.call('XTRIM', KEYS[2], 'MINID', '=', int(target + 1) .. '-0')
  log.trim = target
end
return { 'ok', log.log_id, log.number, log.mark, log.now, { 'trimmed', log.trim, log.number } }
