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
