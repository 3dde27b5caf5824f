-- reservation: the records of reservations as they are now; changes nothing.
--
-- FLAGS    no-writes
-- KEYS     the concert block: reads meta, res
-- ARGV     head of lib/concert.lua, no shows; then count, and for each request: reservation
-- OUTCOMES
--   { 'found', record }               retry: current answer    formats 1; PENDING past its end is EXPIRED
--   { 'not_found' }                   retry: current answer
-- INCLUDES text arguments clock journal map log concert
-- COST     O(1) a request; touches 50 + 2 a request

if log.lost then
  return lost_reply(log)
end

local ids = {}
for i = 1, argument_number() do
  ids[i] = argument()
end
fetch(reservations, ids)

local outcomes = {}
for i, id in ipairs(ids) do
  local record = get(reservations, id)
  outcomes[i] = record and { 'found', record } or { 'not_found' }
end
return reply(outcomes)
