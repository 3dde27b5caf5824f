-- concert: the block of keys of a concert (formats 1), its log, its policy, and the shows of this batch.
--
-- ARGV begins with the mark of the entry, what the server has seen of the log (log id, number, mark, check), the number of
-- shows whose keys follow the block, and their ids.

local CONCERT_KEYS = 15
local CONCERT_FIELDS = { 'catalog', 'epoch', 'policy', 'seq', 'credit', 'credit_at', 'shows', 'sellable', 'revenue', 'stopped', 'cancelled' }
local POLICY_FIELDS = {
  'max_active', 'admit_per_second', 'active_ms', 'claim_ms', 'hold_ms', 'max_seats_per_reservation',
  'max_seats_per_user', 'gate_reserve', 'end_token_on', 'opens_at', 'closes_at', 'paused',
}

local mark = argument()
local log = open_log(KEYS[1], KEYS[3], argument_seen(), log_fields(CONCERT_FIELDS))
local now = log.now

local queue, active = map('zset', KEYS[4]), map('zset', KEYS[5])
local place, unclaimed = map('hash', KEYS[6]), map('zset', KEYS[7])
local reservations, expiry = map('hash', KEYS[8]), map('zset', KEYS[9])
local pending, ended, cards = map('hash', KEYS[10]), map('zset', KEYS[14]), map('hash', KEYS[15])
local idem = { result = map('hash', KEYS[11]), stop = map('zset', KEYS[12]), user = map('hash', KEYS[13]) }

-- By id: the shows of this batch.
local shows = {}
for i = 1, argument_number() do
  local first = CONCERT_KEYS + 3 * (i - 1)
  local id = argument()
  shows[id] = {
    id = id,
    version_field = 'v:' .. id,
    seats = map('bytes', KEYS[first + 1]),
    holder = map('hash', KEYS[first + 2]),
    owned = map('hash', KEYS[first + 3]),
  }
end

-- The policy; numbers as numbers.
local function read_policy()
  local values = redis.call('HMGET', KEYS[2], unpack(POLICY_FIELDS))
  local policy = {}
  for i, field in ipairs(POLICY_FIELDS) do
    policy[field] = tonumber(values[i]) or values[i]
  end
  return policy
end

-- A number of meta as this batch sees it.
local function count(field)
  return tonumber(get(log.meta, field) or 0)
end

local function set_count(field, value)
  put(log.meta, field, int(value))
end

-- Whether a show was cancelled: nothing of it is sold any more. `cancelled` is ` 12 13 `, absent but for concerts that have one.
local function is_cancelled(show)
  local list = get(log.meta, 'cancelled')
  return list and string.find(list, ' ' .. show .. ' ', 1, true) ~= nil
end

-- Marks the seat map of a show as changed by the entry of this batch.
local function touch(show)
  put(log.meta, show.version_field, int(log.number + 1))
end

-- Whether the sale has come to its end.
local function has_closed(policy)
  return policy.closes_at and now >= policy.closes_at
end

-- Why nothing may be sold to anybody now, or nil.
local function closed_outcome(policy)
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  local opens = policy.opens_at
  if (opens and now < opens) or has_closed(policy) then
    return { 'sale_not_open', opens or '' }
  end
end

-- Writes the batch: the entry, then the state, one command a key.
local function commit()
  append(log, mark)
  for _, target in ipairs({
    queue, active, place, unclaimed, reservations, expiry, pending, ended, cards, idem.result, idem.stop, idem.user,
  }) do
    flush(target)
  end
  for _, show in pairs(shows) do
    flush(show.seats)
    flush(show.holder)
    flush(show.owned)
  end
end

-- The answer of a batch: head, then an outcome a request.
local function reply(outcomes)
  local answer = { 'ok', log.log_id, log.number, log.mark, now }
  for i, outcome in ipairs(outcomes) do
    answer[5 + i] = outcome
  end
  return answer
end
