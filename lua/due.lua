-- due: names PENDING reservations whose time is over, with their shows, oldest first; changes nothing.
--
-- FLAGS    no-writes
-- KEYS     the concert block: reads meta, res, expiry
-- ARGV     head of lib/concert.lua, no shows; then limit
-- OUTCOMES one a reservation
--   { 'due', reservation, show }
-- INCLUDES text arguments clock journal map log concert reservation
-- COST     O(limit); touches 50 + 3 a reservation

if log.lost then
  return lost_reply(log)
end

local ids = redis.call('ZRANGEBYSCORE', expiry.key, '-inf', int(now), 'LIMIT', 0, argument_number())
fetch(reservations, ids)

local outcomes = {}
for i, id in ipairs(ids) do
  outcomes[i] = { 'due', id, read_reservation(id).show }
end
return reply(outcomes)
