-- tidy: forgets requests after their 24 hours, and ended reservations 24 hours after the archive has them.
--
-- FLAGS    allow-oom: it only frees
-- KEYS     the concert block: writes res, idem, idem_end, idem_user, ended
-- ARGV     head of lib/concert.lua, no shows; then ms: the archive has all that ended before
-- OUTCOMES
--   { 'tidied', requests, reservations }      retry: until both are 0
-- INCLUDES text arguments clock journal map log concert idem
-- COST     O(1), at most 100 requests and 100 reservations; touches 1,200

if log.lost then
  return lost_reply(log)
end

local TIDY_MAX = 100
local KEEP_MS = 24 * 3600 * 1000

local requests = forget_requests(idem, now, TIDY_MAX)
local before = math.min(argument_number(), now) - KEEP_MS
-- A request names its reservation and is due no later: reservations go when no due request is left.
local limit = requests < TIDY_MAX and TIDY_MAX or 0
local over = redis.call('ZRANGEBYSCORE', ended.key, '-inf', int(before), 'LIMIT', 0, limit)
for _, id in ipairs(over) do
  put(ended, id, false)
  put(reservations, id, false)
end
commit()
return reply({ { 'tidied', requests, #over } })
