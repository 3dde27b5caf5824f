-- pay: a PENDING reservation is paid from its owner's balance before its end, whole and once: money, seats and place in one step.
--
-- FLAGS    allow-oom: a payment is the last thing to refuse
-- KEYS     the concert block, three keys for each show, six for each wallet partition: writes all but policy
-- ARGV     head of lib/concert.lua with the shows; partitions (lib/wallet.lua); then count, and for each request: user, show,
--          reservation, payment id, partition, request ('' without a key), fingerprint
-- OUTCOMES in order of precedence; nothing has happened unless 'paid'
--   { 'replayed', reservation, show, payment, seats, amount, balance }   retry: same answer
--   { 'idempotency_key_reused' }                retry: no
--   { 'log_lost', partition, number, mark }     retry: later    the log of his partition was lost
--   { 'rate_limited' }                          retry: when older keys are forgotten
--   { 'sales_stopped' }                         retry: later
--   { 'invalid_reservation', reason }           retry: no    not_found already_paid cancelled refunded expired
--   { 'request_in_progress' }                   retry: no    he is being forgotten
--   { 'insufficient_balance', current, required }   retry: after a charge
--   { 'paid', reservation, show, payment, seats, amount, balance }
--   { 'internal', message }                     retry: no
--   After the outcomes of all requests: { 'wallet', partition, number, mark } for each partition not lost
-- INCLUDES text arguments clock journal map log concert idem place reservation wallet booking
-- COST     O(seats) a request; touches 100 + 36 a request + 6 a seat + 40 a partition
--          + 3 a hold of the user

if log.lost then
  return lost_reply(log)
end

open_wallets(#KEYS - 6 * tonumber(ARGV[argument_at + 1]) + 1)

local policy = read_policy()
local function told(outcome, r)
  return { outcome, r.id, r.show, r.payment, r.seats, r.amount, string.match(r.ext, 'balance=(%d+)') }
end

local function replayed_outcome(request)
  local result, refused = recall(idem, request.request, request.fingerprint)
  if refused then
    return refused
  end
  if result then
    return told('replayed', read_reservation(string.match(result, '^%S+ (%S+)$')))
  end
  -- Without a key the payment's own id is the request.
  local r = read_reservation(request.reservation)
  return r and r.payment == request.payment and told('replayed', r) or nil
end

-- How its card payments ended is asked for later, too; one that is under way buys nothing any more.
local function paid_ext(r, balance)
  local tried = r.ext == '-' and '' or ',' .. string.gsub(r.ext, '^card=', 'overtaken=')
  return 'balance=' .. int(balance) .. tried
end

local function move_money(r, request, wallet, balance)
  write_balance(wallet, r.user, balance)
  emit(wallet.log, 'paid ' .. request.payment .. ' ' .. prefixed(r.user) .. ' ' .. request.concert .. ' ' .. r.show .. ' ' .. r.id
    .. ' ' .. int(r.amount) .. ' ' .. int(balance))
  set_count('revenue', count('revenue') + r.amount)
end

local function decide_pay(request)
  local wallet = wallets[request.partition]
  local known = replayed_outcome(request) or lost_outcome(wallet)
  if known then
    return known
  end
  if has_too_many_requests(idem, request.request, request.user) then
    return { 'rate_limited' }
  end
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  local r = read_reservation(request.reservation)
  local invalid = unpayable_outcome(r, request)
  if invalid then
    return invalid
  end
  if is_leaving(wallet, r.user) then
    return { 'request_in_progress' }
  end
  local balance = read_balance(wallet, r.user) - r.amount
  if balance < 0 then
    return { 'insufficient_balance', balance + r.amount, r.amount }
  end
  r.status, r.payment, r.ext = 'confirmed', request.payment, paid_ext(r, balance)
  write_reservation(r)
  book_seats(r)
  move_money(r, request, wallet, balance)
  remember(idem, request.request, request.fingerprint, r.user, request.payment .. ' ' .. r.id, now)
  emit(log, 'paid ' .. r.id .. ' ' .. r.show .. ' ' .. prefixed(r.user) .. ' ' .. r.payment .. ' ' .. int(r.amount) .. ' '
    .. int(balance) .. ' ' .. r.seats .. ' ' .. prefixed(request.request) .. ' '
    .. (request.request == '' and '-' or request.fingerprint))
  settle_place(r.user, policy)
  return told('paid', r)
end

local concert = string.match(KEYS[1], '^{c(%d+)}')
local requests, ids, users, keys, keyed = {}, {}, {}, {}, {}
for i = 1, argument_number() do
  local user, show, reservation, payment, partition, key, fingerprint = next_arguments(7)
  requests[i] = {
    concert = concert, user = user, show = show, reservation = reservation, payment = payment, partition = partition,
    request = key, fingerprint = fingerprint,
  }
  ids[i], users[i] = reservation, user
  if key ~= '' then
    keys[#keys + 1], keyed[#keyed + 1] = key, user
  end
end
fetch(reservations, ids)
fetch(pending, users)
fetch(place, users)
fetch(idem.result, keys)
fetch(idem.user, keyed)
fetch_of_wallets(requests, 'user', balances_of)

local outcomes = attempt_all(decide_pay, requests)
append_wallets(mark)
commit()
flush_wallets()
return reply(with_positions(outcomes))
