-- booking: a PENDING reservation is paid: its seats are booked, and its owner's place ends with the last of his holds.
-- KEYS: as lib/reservation.lua and lib/place.lua. The verb reads the policy.

local function has_live_pending(user)
  for id in string.gmatch(get(pending, user) or '', '%S+') do
    if not is_overdue(read_reservation(id)) then
      return true
    end
  end
  return false
end

local function settle_place(user, policy)
  local held = live_place(user)
  if policy.end_token_on ~= 'payment' or has_live_pending(user) then
    if held then
      claim_place(held)
    end
    return
  end
  if held then
    end_place(held, 'paid')
    return
  end
  -- Where holding needs no place he may pay while he waits: his turn would come, and he has no use for it. Where it needs one he
  -- waits for another hold.
  local seq = policy.gate_reserve ~= 1 and get(queue, user)
  if seq then
    end_waiting(user, tonumber(seq), 'paid')
  end
end

local function book_seats(r)
  local show = shows[r.show]
  local indexes = seat_indexes(r.seats)
  for _, index in ipairs(indexes) do
    put(show.seats, index, BOOKED)
  end
  set_count('sellable', count('sellable') - #indexes)
  touch(show)
  remove_pending(r.user, r.id)
  put(expiry, r.id, false)
end
