-- expire: the named reservations, if their time is over, end as EXPIRED. Only tidies: whoever looks at such a seat frees it himself.
--
-- FLAGS    allow-oom: it only frees
-- KEYS     the concert block and three keys for each show: writes meta, log, res, expiry, pending, ended, seats, holder, owned
-- ARGV     head of lib/concert.lua with the shows; then count, and for each request: reservation (from due.lua)
-- OUTCOMES
--   { 'expired' }                     retry: 'kept'
--   { 'kept' }                        retry: no    paid, released or expired meanwhile, or not over
--   { 'internal', message }           retry: no
-- INCLUDES text arguments clock journal map log concert reservation
-- COST     O(seats) a request; touches 100 + 20 a request + 6 a seat

if log.lost then
  return lost_reply(log)
end

local function decide_expire(id)
  local r = read_reservation(id)
  if not r or not is_overdue(r) then
    return { 'kept' }
  end
  expire_reservation(r)
  return { 'expired' }
end

local ids = {}
for i = 1, argument_number() do
  ids[i] = argument()
end
fetch(reservations, ids)

local outcomes = attempt_all(decide_expire, ids)
commit()
return reply(outcomes)
