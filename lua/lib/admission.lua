-- admission: how many may come in now, by capacity and rate, and letting one in.
-- KEYS: meta, active, place, unclaimed of the concert block. The rate is a token bucket in meta: whatever number of workers
-- and servers ask, it is one bucket.

-- Places saved up at most: what 100 ms give, and at least one.
local SAVE_UP_MS = 100

local admission = { active = redis.call('ZCARD', KEYS[5]) }

local function credit_now(policy)
  local rate = policy.admit_per_second
  local most = math.max(1, rate * SAVE_UP_MS / 1000)
  local saved = tonumber(get(log.meta, 'credit') or most)
  local elapsed = now - count('credit_at')
  return math.min(most, saved + elapsed * rate / 1000)
end

-- Places that may be given now; 0 while paused, closed or stopped.
local function room(policy)
  if policy.paused == 1 or policy.admit_per_second <= 0 or closed_outcome(policy) then
    return 0
  end
  -- A hair's breadth for the rounding of the stored fraction.
  local credit = math.floor(credit_now(policy) + 1e-6)
  return math.max(0, math.min(credit, policy.max_active - admission.active))
end

-- `claimed`: the answer that carries this place is itself the sign of life.
local function admit(policy, user, seq, claimed)
  local needs_claim = policy.claim_ms > 0 and not claimed
  local held = {
    user = user, seq = seq, admitted = now, stop = now + policy.active_ms,
    claim_by = needs_claim and now + policy.claim_ms or 0,
  }
  put(log.meta, 'credit', string.format('%.6f', credit_now(policy) - 1))
  set_count('credit_at', now)
  assign(admission, 'active', admission.active + 1)
  write_place(held)
  put(active, user, int(held.stop))
  if needs_claim then
    put(unclaimed, user, int(held.claim_by))
  end
  emit(log, 'admitted ' .. int(seq) .. ' ' .. prefixed(user) .. ' ' .. int(held.stop) .. ' ' .. int(held.claim_by))
  return held
end

-- Keeps the longest sweep well under 1 ms.
local SWEEP_MAX = 100

-- Users whose places may be over, and whether there may be more of them.
local function due_users()
  local users = redis.call('ZRANGEBYSCORE', active.key, '-inf', int(now), 'LIMIT', 0, SWEEP_MAX)
  local late = redis.call('ZRANGEBYSCORE', unclaimed.key, '-inf', int(now), 'LIMIT', 0, SWEEP_MAX)
  local bound = #users == SWEEP_MAX or #late == SWEEP_MAX
  for _, user in ipairs(late) do
    users[#users + 1] = user
  end
  fetch(place, users)
  return users, bound
end

-- Ends those of these places that are over; answers how many.
local function end_overdue(users)
  local count_ended = 0
  for _, user in ipairs(users) do
    -- A user who is in both lists has no place the second time.
    local held = read_place(user)
    local reason = held and overdue(held)
    if reason then
      end_place(held, reason)
      assign(admission, 'active', admission.active - 1)
      count_ended = count_ended + 1
    end
  end
  return count_ended
end
