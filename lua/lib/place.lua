-- place: an active place of the waiting room, and how one is given, claimed, stretched and ended; and how one in line ends.
-- KEYS: queue, place, active, unclaimed of the concert block.

local function read_place(user)
  local record = get(place, user)
  if not record then
    return nil
  end
  local seq, admitted, stop, claim_by = string.match(record, '^(%d+) (%d+) (%d+) (%d+)$')
  return {
    user = user, seq = tonumber(seq), admitted = tonumber(admitted), stop = tonumber(stop), claim_by = tonumber(claim_by),
  }
end

local function write_place(held)
  put(place, held.user,
    int(held.seq) .. ' ' .. int(held.admitted) .. ' ' .. int(held.stop) .. ' ' .. int(held.claim_by))
end

local function end_place(held, reason)
  put(place, held.user, false)
  put(active, held.user, false)
  if held.claim_by > 0 then
    put(unclaimed, held.user, false)
  end
  emit(log, 'ended ' .. int(held.seq) .. ' ' .. prefixed(held.user) .. ' ' .. reason)
end

-- Takes the user out of the line.
local function end_waiting(user, seq, reason)
  put(queue, user, false)
  emit(log, 'ended ' .. int(seq) .. ' ' .. prefixed(user) .. ' ' .. reason)
end

-- Why a place is over although nobody has swept it, or nil.
local function overdue(held)
  if now >= held.stop then
    return 'lapsed'
  end
  if held.claim_by > 0 and now >= held.claim_by then
    return 'unclaimed'
  end
end

-- The user's place, if it is still his: one that is over ends here.
local function live_place(user)
  local held = read_place(user)
  local reason = held and overdue(held)
  if reason then
    end_place(held, reason)
    return nil
  end
  return held
end

local function claim_place(held)
  if held.claim_by == 0 then
    return
  end
  held.claim_by = 0
  write_place(held)
  put(unclaimed, held.user, false)
  emit(log, 'claimed ' .. int(held.seq) .. ' ' .. prefixed(held.user))
end

-- Moves the end of a place to `stop`, if that is later.
local function stretch_place(held, stop)
  if stop <= held.stop then
    return
  end
  held.stop = stop
  write_place(held)
  put(active, held.user, int(stop))
  emit(log, 'stretched ' .. int(held.seq) .. ' ' .. prefixed(held.user) .. ' ' .. int(stop))
end

-- Requests of a user and the number of his place, with what is known of those places.
local function argument_places()
  local requests, users = {}, {}
  for i = 1, argument_number() do
    requests[i] = { user = argument(), seq = argument_number() }
    users[i] = requests[i].user
  end
  fetch(place, users)
  fetch(queue, users)
  return requests
end
