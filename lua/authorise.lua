-- authorise: a card payment of a PENDING reservation begins, one at a time; the first one stretches the hold, so that it does not
-- lapse while the buyer is at his bank, and his active place with it. No seat and no money moves.
--
-- FLAGS    allow-oom: a payment is the last thing to refuse
-- KEYS     the concert block, three keys for each show: writes all but policy and queue
-- ARGV     head of lib/concert.lua with the shows; then count, and for each request: user, show, reservation, payment id, request
--          ('' without a key), fingerprint, ms from now that the hold is to last at least
-- OUTCOMES in order of precedence; nothing has happened unless 'authorising'
--   { 'replayed', reservation, show, payment, seats, amount, end ms, state }   retry: same answer but for the state: authorising
--                                               capture void declined ended
--   { 'idempotency_key_reused' }                retry: no
--   { 'rate_limited' }                          retry: when older keys are forgotten
--   { 'sales_stopped' }                         retry: later
--   { 'invalid_reservation', reason }           retry: no    not_found already_paid cancelled refunded expired
--   { 'request_in_progress' }                   retry: when the card payment under way has failed
--   { 'authorising', reservation, show, payment, seats, amount, end ms, state }
--   { 'internal', message }                     retry: no
-- INCLUDES text arguments clock journal map log concert idem place reservation card
-- COST     O(1) a request, O(seats) of one that is over; touches 100 + 30 a request + 6 a seat

if log.lost then
  return lost_reply(log)
end

local policy = read_policy()

local function state_of(r, payment)
  if is_declined(r, payment) then
    return 'declined'
  end
  local card = read_card(payment)
  return card and card.state or 'ended'
end

local function told(outcome, r, payment)
  return { outcome, r.id, r.show, payment, r.seats, r.amount, int(r.stop), state_of(r, payment) }
end

local function replayed_outcome(request)
  local result, refused = recall(idem, request.request, request.fingerprint)
  if refused then
    return refused
  end
  if result then
    local payment, id = string.match(result, '^(%S+) (%S+)$')
    return told('replayed', read_reservation(id), payment)
  end
  -- Without a key the payment's own id is the request: known by its record, and when that has gone by what it left behind.
  local r = read_reservation(request.reservation)
  local known = r and (read_card(request.payment) or string.find(r.ext, '=' .. request.payment, 1, true))
  return known and told('replayed', r, request.payment) or nil
end

-- Once a reservation, so the bound is from its first end.
local function stretch_hold(r, stop)
  if r.ext ~= '-' or stop <= r.stop then
    return
  end
  r.stop = stop
  put(expiry, r.id, int(stop))
  emit(log, 'extended ' .. r.id .. ' ' .. r.show .. ' ' .. prefixed(r.user) .. ' ' .. int(stop))
end

local function decide_authorise(request)
  local known = replayed_outcome(request)
  if known then
    return known
  end
  if has_too_many_requests(idem, request.request, request.user) then
    return { 'rate_limited' }
  end
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  local r = read_reservation(request.reservation)
  local invalid = unpayable_outcome(r, request)
  if invalid then
    return invalid
  end
  if card_of(r) then
    return { 'request_in_progress' }
  end
  stretch_hold(r, now + request.stretch)
  r.ext = 'card=' .. request.payment .. declined_of(r)
  write_reservation(r)
  local card = { payment = request.payment, reservation = r.id, show = r.show, amount = int(r.amount), user = r.user }
  write_card(card, 'authorising')
  remember(idem, request.request, request.fingerprint, r.user, request.payment .. ' ' .. r.id, now)
  emit(log, card_event('authorising', card) .. ' ' .. card.amount .. ' ' .. prefixed(request.request) .. ' '
    .. (request.request == '' and '-' or request.fingerprint))
  local held = live_place(r.user)
  if held then
    claim_place(held)
    stretch_place(held, math.min(r.stop, held.admitted + policy.active_ms + policy.hold_ms))
  end
  return told('authorising', r, request.payment)
end

local requests, ids, users, keys, payments = {}, {}, {}, {}, {}
for i = 1, argument_number() do
  local user, show, reservation, payment, key, fingerprint, stretch = next_arguments(7)
  requests[i] = {
    user = user, show = show, reservation = reservation, payment = payment, request = key, fingerprint = fingerprint,
    stretch = tonumber(stretch),
  }
  ids[i], users[i], payments[i] = reservation, user, payment
  if key ~= '' then
    keys[#keys + 1] = key
  end
end
fetch(reservations, ids)
fetch(place, users)
fetch(idem.result, keys)
fetch(cards, payments)

local outcomes = attempt_all(decide_authorise, requests)
commit()
return reply(outcomes)
