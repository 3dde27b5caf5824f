-- clear: a page of a cancelled show: what is available is blocked, what is held is given back, who has paid is named. The same again
-- changes nothing.
--
-- FLAGS    allow-oom: it only frees
-- KEYS     the concert block and three keys for the show: writes meta, log, res, expiry, pending, ended, seats, holder, owned
-- ARGV     head of lib/concert.lua with one show; then count (1), show, index of the first seat
-- OUTCOMES in order of precedence
--   { 'sales_stopped' }               retry: later
--   { 'not_cancelled' }               retry: when it is
--   { 'cleared', index behind the page, seats in all, reservation, owner, … }   retry: what is left    those CONFIRMED, each once a page
--   { 'internal', message }           retry: no
-- INCLUDES text arguments clock journal map log concert reservation
-- COST     O(seats of the page and of the holds there), at most 100 seats, and 64 of holds and those of one; touches 500 + 20 a hold + 6 a seat

if log.lost then
  return lost_reply(log)
end

local PAGE_MAX = 100

-- Index by what is there.
local function read_page(show, first)
  local bytes = redis.call('GETRANGE', show.seats.key, first, first + PAGE_MAX - 1)
  local available, taken = {}, {}
  for i = 1, #bytes do
    local byte, index = string.byte(bytes, i), int(first + i - 1)
    if byte == AVAILABLE then
      available[#available + 1] = index
    elseif byte ~= BLOCKED then
      taken[#taken + 1] = index
    end
  end
  return available, taken, first + #bytes
end

-- The reservations that have these seats, each once, in the order of their first seats, and these.
local function owners(show, taken)
  fetch(show.holder, taken)
  local ids, firsts, known = {}, {}, {}
  for _, index in ipairs(taken) do
    local id = get(show.holder, index)
    if not known[id] then
      known[id], ids[#ids + 1], firsts[#firsts + 1] = true, id, tonumber(index)
    end
  end
  fetch(reservations, ids)
  return ids, firsts
end

local function block_seats(show, indexes)
  if #indexes == 0 then
    return
  end
  for _, index in ipairs(indexes) do
    put(show.seats, index, BLOCKED)
  end
  set_count('sellable', count('sellable') - #indexes)
  touch(show)
  tell_blocked(show, indexes)
end

local function decide_clear(request)
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  local show = shows[request.show]
  if not is_cancelled(show.id) then
    return { 'not_cancelled' }
  end
  local available, taken, next_index = read_page(show, request.first)
  local outcome = { 'cleared', next_index, redis.call('STRLEN', show.seats.key) }
  local ids, firsts = owners(show, taken)
  for i, id in ipairs(ids) do
    local r = read_reservation(id)
    if r.status == 'confirmed' then
      outcome[#outcome + 1], outcome[#outcome + 2] = id, r.user
    elseif is_exhausted() then
      outcome[2] = firsts[i]
      break
    else
      end_if_over(r)
    end
  end
  block_seats(show, available)
  return outcome
end

local requests = {}
for i = 1, argument_number() do
  requests[i] = { show = argument(), first = argument_number() }
end

local outcomes = attempt_all(decide_clear, requests)
commit()
return reply(outcomes)
