-- reservation: the record of a reservation, and how its seats come back.
-- KEYS: res, expiry, pending, ended of the concert block; seats, holder, owned of its show.

local AVAILABLE, HELD, BOOKED, BLOCKED = 48, 49, 50, 51

-- Seats that one call gives back, beside what it was asked to, before it stops and has the rest come again: as many as a batch may
-- hold. What finds holds that are over is cheap to send, so nothing else would bound the call.
local FREED_SEATS_MAX = 64
local freed_seats = 0

local function read_reservation(id)
  local record = get(reservations, id)
  if not record then
    return nil
  end
  local status, show, amount, created, stop, catalog, payment, seats, ext, user =
    string.match(record, '^(%l+) (%d+) (%d+) (%d+) (%d+) (%d+) (%S+) (%S+) (%S+) (.*)$')
  return {
    id = id, status = status, show = show, amount = tonumber(amount), created = created, stop = tonumber(stop),
    catalog = catalog, payment = payment, seats = seats, ext = ext, user = user,
  }
end

local function write_reservation(r)
  -- One operation on ten strings; a table of them would be made and thrown away for each.
  put(reservations, r.id, r.status .. ' ' .. r.show .. ' ' .. int(r.amount) .. ' ' .. r.created .. ' ' .. int(r.stop) .. ' '
    .. r.catalog .. ' ' .. r.payment .. ' ' .. r.seats .. ' ' .. r.ext .. ' ' .. r.user)
end

-- The indexes in `index:price,…`.
local function seat_indexes(seats)
  local indexes = {}
  for index in string.gmatch(seats, '(%d+):') do
    indexes[#indexes + 1] = index
  end
  return indexes
end

local function add_pending(user, id)
  local list = get(pending, user)
  put(pending, user, list and list .. ' ' .. id or id)
end

local function remove_pending(user, id)
  local list = get(pending, user)
  if list == id then
    put(pending, user, false)
    return
  end
  local left = {}
  for other in string.gmatch(list or '', '%S+') do
    if other ~= id then
      left[#left + 1] = other
    end
  end
  put(pending, user, #left > 0 and table.concat(left, ' '))
end

-- Seats that a reservation gives back: available from here on, or blocked if their show was cancelled; tells which.
local function give_seats(r, indexes)
  local show = shows[r.show]
  local cancelled = is_cancelled(show.id)
  for _, index in ipairs(indexes) do
    put(show.seats, index, cancelled and BLOCKED or AVAILABLE)
    put(show.holder, index, false)
  end
  local owned = tonumber(get(show.owned, r.user) or 0) - #indexes
  put(show.owned, r.user, owned > 0 and int(owned))
  touch(show)
  return cancelled
end

local function tell_blocked(show, indexes)
  emit(log, 'blocked ' .. show.id .. ' ' .. table.concat(indexes, ',') .. ' 0: -')
end

-- Ends a PENDING reservation as `status`: its seats are free from here on. `event` tells it, `reason` follows.
local function free_reservation(r, status, event, reason)
  local indexes = seat_indexes(r.seats)
  freed_seats = freed_seats + #indexes
  local cancelled = give_seats(r, indexes)
  remove_pending(r.user, r.id)
  put(expiry, r.id, false)
  put(ended, r.id, int(now))
  r.status = status
  write_reservation(r)
  local fields = { event, r.id, r.show, prefixed(r.user), r.seats, reason }
  emit(log, table.concat(fields, ' '))
  if cancelled then
    set_count('sellable', count('sellable') - #indexes)
    tell_blocked(shows[r.show], indexes)
  end
end

local function expire_reservation(r)
  free_reservation(r, 'expired', 'expired')
end

-- Whether this call has given back so many seats that the rest of what it was asked has to come again.
local function is_exhausted()
  return freed_seats >= FREED_SEATS_MAX
end

local function is_overdue(r)
  return r.status == 'pending' and now >= r.stop
end

-- What a seat is now: one whose hold is over is available from here on.
local function byte_now(show, index)
  local byte = get(show.seats, index)
  if byte == HELD then
    local holding = read_reservation(get(show.holder, index))
    if is_overdue(holding) then
      expire_reservation(holding)
      return AVAILABLE
    end
  end
  return byte
end

-- The seats of shows in one read a show, and who holds those that are held; adds their reservations to `ids`.
local function fetch_seats(indexes_of, ids)
  for id, indexes in pairs(indexes_of) do
    local show, held = shows[id], {}
    fetch(show.seats, indexes)
    for _, index in ipairs(indexes) do
      if show.seats.read[index] == HELD then
        held[#held + 1] = index
      end
    end
    fetch(show.holder, held)
    for _, index in ipairs(held) do
      ids[#ids + 1] = show.holder.read[index]
    end
  end
end

-- Ends a reservation whose hold is over, or whose show was cancelled before it was paid.
local function end_if_over(r)
  if is_overdue(r) then
    expire_reservation(r)
  elseif r.status == 'pending' and is_cancelled(r.show) then
    free_reservation(r, 'cancelled', 'released', 'show')
  end
end

local UNPAYABLE = { confirmed = 'already_paid', cancelled = 'cancelled', refunded = 'refunded', expired = 'expired' }

-- Why a reservation can't be paid by the user of a request, if it can't.
local function unpayable_outcome(r, request)
  if not r or r.user ~= request.user or r.show ~= request.show then
    return { 'invalid_reservation', 'not_found' }
  end
  end_if_over(r)
  return UNPAYABLE[r.status] and { 'invalid_reservation', UNPAYABLE[r.status] }
end
