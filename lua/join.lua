-- join: each user gets one place in the line of the concert, the one he has or a new one at its end; admitted at once into an empty room.
--
-- FLAGS    none
-- KEYS     the concert block (lib/concert.lua): writes meta, log, queue, active, place, unclaimed
-- ARGV     head of lib/concert.lua, no shows; then count, and for each request: user
-- OUTCOMES in order of precedence; from the end of the sale on 'sales_stopped' or 'sale_not_open', whatever place there is
--   { 'waiting', seq, epoch, position, fresh }   retry: same answer    fresh 1: a new place
--   { 'active', seq, epoch, end ms, fresh }      retry: same answer    claimed by this very answer
--   { 'sales_stopped' }                          retry: later
--   { 'sale_not_open', opens_at or '' }          retry: from then on
--   { 'sold_out' }                               retry: when seats come back
--   { 'internal', message }                      retry: no
-- INCLUDES text arguments clock journal map log concert place admission
-- COST     O(log of the line) a request, and of at most 200 places that are over; touches 100 + 12 a request + 9 a place that is over

if log.lost then
  return lost_reply(log)
end

local policy = read_policy()
local epoch = get(log.meta, 'epoch')
local line = { waiting = redis.call('ZCARD', queue.key) }
-- Position of users who joined in this batch: the rank in Redis does not know them yet.
local joined_at = {}

local function waiting_outcome(user, seq, fresh)
  local position = joined_at[user] or redis.call('ZRANK', queue.key, user) + 1
  return { 'waiting', seq, epoch, position, fresh }
end

local function known_outcome(user)
  local had = read_place(user)
  local held = had and live_place(user)
  if held then
    claim_place(held)
    return { 'active', held.seq, epoch, held.stop, 0 }
  end
  if had then
    assign(admission, 'active', admission.active - 1)
  end
  local seq = get(queue, user)
  return seq and waiting_outcome(user, tonumber(seq), 0)
end

-- Whether the user goes in past an empty line. A room that is full of places that are over is not full.
local function goes_in()
  if line.waiting > 0 then
    return false
  end
  if room(policy) == 0 then
    end_overdue((due_users()))
  end
  return room(policy) > 0
end

-- A closed sale has no place to come back to: its tokens are over, and whoever asked for another would get it over and over.
local is_closed = has_closed(policy)

local function decide_join(user)
  local known = not is_closed and known_outcome(user)
  if known then
    return known
  end
  local closed = closed_outcome(policy)
  if closed then
    return closed
  end
  if count('shows') > 0 and count('sellable') == 0 then
    return { 'sold_out' }
  end
  local seq = count('seq') + 1
  set_count('seq', seq)
  emit(log, 'joined ' .. int(seq) .. ' ' .. prefixed(user))
  if goes_in() then
    local held = admit(policy, user, seq, true)
    return { 'active', seq, epoch, held.stop, 1 }
  end
  put(queue, user, int(seq))
  assign(line, 'waiting', line.waiting + 1)
  assign(joined_at, user, line.waiting)
  return waiting_outcome(user, seq, 1)
end

local users = {}
for i = 1, argument_number() do
  users[i] = argument()
end
fetch(place, users)
fetch(queue, users)

local outcomes = attempt_all(decide_join, users)
commit()
return reply(outcomes)
