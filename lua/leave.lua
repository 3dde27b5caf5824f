-- leave: each user gives his place back, in line or active; a place that is gone already stays gone.
--
-- FLAGS    allow-oom: it only removes
-- KEYS     the concert block: writes meta, log, queue, active, place, unclaimed
-- ARGV     head of lib/concert.lua, no shows; then count, and for each request: user, seq
-- OUTCOMES
--   { 'left' }                        retry: same answer
--   { 'internal', message }           retry: no
-- INCLUDES text arguments clock journal map log concert place
-- COST     O(log of the line) a request; touches 100 + 8 a request

if log.lost then
  return lost_reply(log)
end

local function decide_leave(request)
  local held = read_place(request.user)
  if held and held.seq == request.seq then
    end_place(held, overdue(held) or 'left')
  elseif tonumber(get(queue, request.user)) == request.seq then
    end_waiting(request.user, request.seq, 'left')
  end
  return { 'left' }
end

local outcomes = attempt_all(decide_leave, argument_places())
commit()
return reply(outcomes)
