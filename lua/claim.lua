-- claim: tells each user what his place is now; an active one is claimed by the asking.
--
-- FLAGS    allow-oom: it keeps places, it makes none
-- KEYS     the concert block: writes meta, log, active, place, unclaimed
-- ARGV     head of lib/concert.lua, no shows; then count, and for each request: user, seq
-- OUTCOMES in order of precedence
--   { 'active', end ms }              retry: same answer
--   { 'waiting', position }           retry: same answer
--   { 'queue_token_expired' }         retry: no    the place with that number has ended
--   { 'internal', message }           retry: no
-- INCLUDES text arguments clock journal map log concert place
-- COST     O(log of the line) a request; touches 100 + 10 a request

if log.lost then
  return lost_reply(log)
end

local function decide_claim(request)
  local held = live_place(request.user)
  if held and held.seq == request.seq then
    claim_place(held)
    return { 'active', held.stop }
  end
  if tonumber(get(queue, request.user)) == request.seq then
    return { 'waiting', redis.call('ZRANK', queue.key, request.user) + 1 }
  end
  return { 'queue_token_expired' }
end

local outcomes = attempt_all(decide_claim, argument_places())
commit()
return reply(outcomes)
