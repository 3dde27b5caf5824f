-- block: all seats of a request go out of sale, or come back into it, or none; a hold that is over counts as free in the very call that
-- looks.
--
-- FLAGS    none
-- KEYS     the concert block and three keys for each show: writes meta, log, res, expiry, pending, ended, the requests, seats, holder,
--          owned
-- ARGV     head of lib/concert.lua with the shows; then count, and for each request: what the seats become ('blocked' or
--          'unblocked'), show, request (never '': the server makes one without a key), fingerprint, user whose key it is ('' if it is
--          the server's), number of seats, and for each its index
-- OUTCOMES in order of precedence; nothing of what was asked has happened unless 'blocked' or 'unblocked'
--   { 'replayed' }                              retry: same answer
--   { 'idempotency_key_reused' }                retry: no
--   { 'rate_limited' }                          retry: when older keys are forgotten
--   { 'sales_stopped' }                         retry: later
--   { 'sale_not_open', '' }                     retry: no    the show was cancelled
--   { 'again' }                                 retry: at once, by the server    too many holds over were found; they are given back
--   { 'seat_unavailable', index, … }            retry: with others    not available, or not blocked
--   { 'blocked' }
--   { 'unblocked' }
--   { 'internal', message }                     retry: no
-- INCLUDES text arguments clock journal map log concert idem reservation
-- COST     O(seats) a request, and O(seats of the holds that it finds over), which end at 64 and those of one hold; touches 100
--          + 20 a request + 10 a seat + 12 a show + 20 a hold found over + 6 a seat of one

if log.lost then
  return lost_reply(log)
end

-- What a seat is before and after, and what that does to the seats that can be sold.
local CHANGES = {
  blocked = { from = AVAILABLE, to = BLOCKED, sellable = -1, outcome = { 'blocked' } },
  unblocked = { from = BLOCKED, to = AVAILABLE, sellable = 1, outcome = { 'unblocked' } },
}

local function unfit_outcome(request, show, from)
  local outcome = { 'seat_unavailable' }
  for _, index in ipairs(request.indexes) do
    if is_exhausted() then
      return { 'again' }
    end
    if byte_now(show, index) ~= from then
      outcome[#outcome + 1] = index
    end
  end
  return #outcome > 1 and outcome or nil
end

local function decide_block(request)
  local result, refused = recall(idem, request.request, request.fingerprint)
  if result then
    return { 'replayed' }
  end
  if refused then
    return refused
  end
  if request.by ~= '' and has_too_many_requests(idem, request.request, request.by) then
    return { 'rate_limited' }
  end
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  if is_cancelled(request.show) then
    return { 'sale_not_open', '' }
  end
  local show, change = shows[request.show], CHANGES[request.word]
  local unfit = unfit_outcome(request, show, change.from)
  if unfit then
    return unfit
  end
  for _, index in ipairs(request.indexes) do
    put(show.seats, index, change.to)
  end
  set_count('sellable', count('sellable') + change.sellable * #request.indexes)
  touch(show)
  remember(idem, request.request, request.fingerprint, request.by, request.word, now)
  emit(log, request.word .. ' ' .. request.show .. ' ' .. table.concat(request.indexes, ',') .. ' ' .. prefixed(request.request)
    .. ' ' .. request.fingerprint)
  return change.outcome
end

local function argument_request()
  local word, show, key, fingerprint, by, size = next_arguments(6)
  local indexes = {}
  for i = 1, tonumber(size) do
    indexes[i] = argument()
  end
  return {
    word = word, show = show, request = key, fingerprint = fingerprint, by = by, indexes = indexes,
  }
end

-- One read a key for the whole batch, then those that the seats held now lead to.
local function prefetch(requests)
  local keys, ids, indexes = {}, {}, {}
  for i, request in ipairs(requests) do
    keys[i] = request.request
    local wanted = indexes[request.show] or {}
    indexes[request.show] = wanted
    for _, index in ipairs(request.indexes) do
      wanted[#wanted + 1] = index
    end
  end
  fetch(idem.result, keys)
  fetch_seats(indexes, ids)
  fetch(reservations, ids)
end

local requests = {}
for i = 1, argument_number() do
  requests[i] = argument_request()
end
prefetch(requests)

local outcomes = attempt_all(decide_block, requests)
commit()
return reply(outcomes)
