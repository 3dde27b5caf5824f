-- release: each user gives a PENDING reservation back; its seats are available at once. One that has ended stays ended.
--
-- FLAGS    allow-oom: it only frees
-- KEYS     the concert block and three keys for each show: writes all but policy, queue and the requests
-- ARGV     head of lib/concert.lua with the shows; then count, and for each request: user, show, reservation
-- OUTCOMES in order of precedence
--   { 'not_found' }                   retry: no    none, or another's
--   { 'reservation_not_pending' }     retry: no    paid
--   { 'released' }                    retry: same answer
--   { 'internal', message }           retry: no
-- INCLUDES text arguments clock journal map log concert place reservation
-- COST     O(seats) a request; touches 100 + 20 a request + 6 a seat

if log.lost then
  return lost_reply(log)
end

local function decide_release(request)
  local r = read_reservation(request.id)
  if not r or r.user ~= request.user or r.show ~= request.show then
    return { 'not_found' }
  end
  if r.status == 'confirmed' then
    return { 'reservation_not_pending' }
  end
  if is_overdue(r) then
    expire_reservation(r)
  elseif r.status == 'pending' then
    free_reservation(r, 'cancelled', 'released', 'user')
  end
  return { 'released' }
end

local requests, ids = {}, {}
for i = 1, argument_number() do
  requests[i] = { user = argument(), show = argument(), id = argument() }
  ids[i] = requests[i].id
end
fetch(reservations, ids)

local outcomes = attempt_all(decide_release, requests)
commit()
return reply(outcomes)
