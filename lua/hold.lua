-- hold: all seats of a request are held for its user, or none; a hold that is over counts as free in the very call that looks.
--
-- FLAGS    none
-- KEYS     the concert block and three keys for each show: writes all but policy
-- ARGV     head of lib/concert.lua with the shows; then count, and for each request: user, seq of his queue token ('' if he has
--          none), show, catalog version, reservation id, request ('' without a key), fingerprint, number of seats, and for each seat
--          index, price
-- OUTCOMES in order of precedence; nothing is held unless 'held'
--   { 'replayed', reservation, show, seats, amount, created ms, end ms }   retry: same answer
--   { 'idempotency_key_reused' }                retry: no
--   { 'rate_limited' }                          retry: when older keys are forgotten
--   { 'sales_stopped' }                         retry: later
--   { 'sale_not_open', opens_at or '' }         retry: from then on    of a cancelled show: no
--   { 'queue_token_invalid' }                   retry: with a token    the policy wants one
--   { 'queue_token_not_active', position }      retry: when active
--   { 'queue_token_expired' }                   retry: no
--   { 'stale_catalog' }                         retry: with the newer catalog
--   { 'again' }                                 retry: at once, by the server    too many holds over were found; they are given back
--   { 'too_many_seats', limit }                 retry: with fewer
--   { 'purchase_limit', limit, owned }          retry: with fewer
--   { 'seat_unavailable', index, … }            retry: with others
--   { 'held', reservation, show, seats, amount, created ms, end ms }
--   { 'internal', message }                     retry: no
-- INCLUDES text arguments clock journal map log concert idem place reservation
-- COST     O(seats) a request, and O(seats of the holds that it finds over), which end at 64 and those of a hold and of the user;
--          touches 100 + 30 a request + 12 a seat + 12 a show + 20 a hold found over + 6 a seat of one + 3 a hold of the user

if log.lost then
  return lost_reply(log)
end

local policy = read_policy()
local version = get(log.meta, 'catalog')

local function told(outcome, r, stop)
  return { outcome, r.id, r.show, r.seats, r.amount, r.created, stop }
end

local function replayed_outcome(request)
  local result, refused = recall(idem, request.request, request.fingerprint)
  if refused then
    return refused
  end
  if result then
    local id, stop = string.match(result, '^(%S+) (%d+)$')
    return told('replayed', read_reservation(id), stop)
  end
  -- Without a key the reservation's own id is the request.
  local known = read_reservation(request.id)
  return known and told('replayed', known, known.stop)
end

-- Whether his token is of the place that he has in line.
local function is_in_line(request)
  return request.seq ~= '' and tonumber(get(queue, request.user)) == tonumber(request.seq)
end

-- The user's place, or why he has none. A policy that asks for none takes a place as a sign of life all the same.
local function gate(request)
  local held = request.seq ~= '' and live_place(request.user) or nil
  if held and held.seq == tonumber(request.seq) then
    return held, nil
  end
  if policy.gate_reserve ~= 1 then
    return nil, nil
  end
  if request.seq == '' then
    return nil, { 'queue_token_invalid' }
  end
  if is_in_line(request) then
    return nil, { 'queue_token_not_active', redis.call('ZRANK', queue.key, request.user) + 1 }
  end
  return nil, { 'queue_token_expired' }
end

-- Seats that the user holds or has booked; holds that are over do not count.
local function owned_by(user, show, wanted)
  local owned = tonumber(get(show.owned, user) or 0)
  if owned + wanted <= policy.max_seats_per_user then
    return owned
  end
  for id in string.gmatch(get(pending, user) or '', '%S+') do
    local other = read_reservation(id)
    if other.show == show.id and is_overdue(other) then
      expire_reservation(other)
    end
  end
  return tonumber(get(show.owned, user) or 0)
end

local function taken_outcome(request, show)
  local outcome = { 'seat_unavailable' }
  for _, index in ipairs(request.indexes) do
    if is_exhausted() then
      return { 'again' }
    end
    if byte_now(show, index) ~= AVAILABLE then
      outcome[#outcome + 1] = index
    end
  end
  return #outcome > 1 and outcome or nil
end

local function limit_outcome(request, show)
  local wanted = #request.indexes
  if wanted > policy.max_seats_per_reservation then
    return { 'too_many_seats', policy.max_seats_per_reservation }
  end
  local owned = owned_by(request.user, show, wanted)
  if owned + wanted > policy.max_seats_per_user then
    return { 'purchase_limit', policy.max_seats_per_user, owned }
  end
end

local function settle_place(request, held, stop)
  if policy.end_token_on == 'reservation' then
    if held then
      end_place(held, 'reserved')
    elseif is_in_line(request) then
      end_waiting(request.user, tonumber(request.seq), 'reserved')
    end
    return
  end
  if not held then
    return
  end
  claim_place(held)
  stretch_place(held, math.min(stop, held.admitted + policy.active_ms + policy.hold_ms))
end

local function write_hold(request, show)
  local r = {
    id = request.id, status = 'pending', show = show.id, amount = request.amount, created = int(now),
    stop = now + policy.hold_ms, catalog = request.catalog, payment = '-', seats = request.seats, ext = '-',
    user = request.user,
  }
  for _, index in ipairs(request.indexes) do
    put(show.seats, index, HELD)
    put(show.holder, index, r.id)
  end
  put(show.owned, r.user, int(tonumber(get(show.owned, r.user) or 0) + #request.indexes))
  write_reservation(r)
  put(expiry, r.id, int(r.stop))
  add_pending(r.user, r.id)
  touch(show)
  remember(idem, request.request, request.fingerprint, r.user, r.id .. ' ' .. int(r.stop), now)
  emit(log, 'held ' .. r.id .. ' ' .. r.show .. ' ' .. prefixed(r.user) .. ' ' .. int(r.amount) .. ' ' .. int(r.stop) .. ' '
    .. r.catalog .. ' ' .. r.seats .. ' ' .. prefixed(request.request) .. ' '
    .. (request.request == '' and '-' or request.fingerprint))
  return r
end

local function decide_hold(request)
  local known = replayed_outcome(request)
  if known then
    return known
  end
  if has_too_many_requests(idem, request.request, request.user) then
    return { 'rate_limited' }
  end
  local closed = closed_outcome(policy)
  if closed then
    return closed
  end
  if is_cancelled(request.show) then
    return { 'sale_not_open', '' }
  end
  local held, refused = gate(request)
  if refused then
    return refused
  end
  if request.catalog ~= version and tonumber(request.catalog) < count('catalog') then
    return { 'stale_catalog' }
  end
  if is_exhausted() then
    return { 'again' }
  end
  local show = shows[request.show]
  local unsold = limit_outcome(request, show) or taken_outcome(request, show)
  if unsold then
    return unsold
  end
  local r = write_hold(request, show)
  settle_place(request, held, r.stop)
  return told('held', r, r.stop)
end

local function argument_request()
  local user, seq, show, catalog, id, key, fingerprint, count_seats = next_arguments(8)
  local seats, indexes, amount = nil, {}, 0
  for i = 1, tonumber(count_seats) do
    local index, price = next_arguments(2)
    indexes[i] = index
    amount = amount + tonumber(price)
    local seat = index .. ':' .. price
    seats = seats and seats .. ',' .. seat or seat
  end
  return {
    user = user, seq = seq, show = show, catalog = catalog, id = id, request = key, fingerprint = fingerprint,
    indexes = indexes, amount = amount, seats = seats,
  }
end

-- One read a key for the whole batch, then those that the seats held now lead to.
local function prefetch(requests)
  local users, ids, keys, keyed, indexes, owners = {}, {}, {}, {}, {}, {}
  for i, request in ipairs(requests) do
    users[i], ids[i] = request.user, request.id
    if request.request ~= '' then
      keys[#keys + 1], keyed[#keyed + 1] = request.request, request.user
    end
    local wanted = indexes[request.show]
    if not wanted then
      wanted, owners[request.show] = {}, {}
      indexes[request.show] = wanted
    end
    local owning = owners[request.show]
    owning[#owning + 1] = request.user
    for _, index in ipairs(request.indexes) do
      wanted[#wanted + 1] = index
    end
  end
  fetch(place, users)
  fetch(pending, users)
  fetch(idem.result, keys)
  fetch(idem.user, keyed)
  for id, owning in pairs(owners) do
    fetch(shows[id].owned, owning)
  end
  fetch_seats(indexes, ids)
  fetch(reservations, ids)
end

local requests = {}
for i = 1, argument_number() do
  requests[i] = argument_request()
end
prefetch(requests)

local outcomes = attempt_all(decide_hold, requests)
commit()
return reply(outcomes)
