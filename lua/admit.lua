-- admit: ends places that are over and lets the next in line in, never more than capacity and rate allow.
--
-- FLAGS    none
-- KEYS     the concert block: writes meta, log, queue, active, place, unclaimed
-- ARGV     head of lib/concert.lua, no shows
-- OUTCOMES one
--   { 'admitted', admitted, ended, 1 if a bound of this call was reached and more may be due }
-- INCLUDES text arguments clock journal map log concert place admission
-- COST     O(log of the line) for each of at most 100 admitted and 200 ended; touches 2,500

if log.lost then
  return lost_reply(log)
end

-- Keeps the longest call well under 1 ms.
local ADMIT_MAX = 100

local policy = read_policy()

local function admit_next()
  local places = math.min(room(policy), ADMIT_MAX)
  if places == 0 then
    return 0
  end
  local next_in_line = redis.call('ZRANGE', queue.key, 0, places - 1, 'WITHSCORES')
  for i = 1, #next_in_line, 2 do
    admit(policy, next_in_line[i], tonumber(next_in_line[i + 1]), false)
    put(queue, next_in_line[i], false)
  end
  return #next_in_line / 2
end

local function decide_admit()
  local users, bound = due_users()
  local count_ended = end_overdue(users)
  local count_admitted = admit_next()
  local more = bound or count_admitted == ADMIT_MAX
  return { 'admitted', count_admitted, count_ended, more and 1 or 0 }
end

local outcome = attempt(decide_admit)
commit()
return reply({ outcome })
