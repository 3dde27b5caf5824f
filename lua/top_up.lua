-- top_up: a user begins to charge his balance through the payment gateway, once for each request. No money moves, and nothing of
-- the balance changes before it has come.
--
-- FLAGS    none
-- KEYS     six for each wallet partition, then top_ups of each: writes all but balances
-- ARGV     mark of the entries; partitions (lib/wallet.lua); then count, and for each request: partition, user, charge id, amount,
--          currency, ms from now after which it is given up, request, fingerprint, the refusal that the server found (lib/found.lua)
-- OUTCOMES in order of precedence; nothing has happened unless 'begun'
--   { 'log_lost', partition, number, mark }     retry: later
--   { 'replayed', charge, 'open', record }      retry: same answer until it has ended
--   { 'replayed', charge, 'ended', end }        retry: same answer
--   { 'idempotency_key_reused' }                retry: no
--   { 'rate_limited' }                          retry: when older keys are forgotten
--   { 'sales_stopped' }                         retry: later    the server found one of these four
--   { 'queue_token_invalid' }                   retry: with a token
--   { 'queue_token_not_active', position }      retry: when active
--   { 'queue_token_expired' }                   retry: no
--   { 'request_in_progress' }                   retry: no    he is being forgotten
--   { 'amount_out_of_range' }                   retry: no    the balance would reach 2^53
--   { 'begun', charge, 'open', record }
--   { 'internal', message }                     retry: no
--   After the outcomes of all requests: { 'wallet', partition, number, mark } for each partition not lost
-- INCLUDES text arguments clock journal map log idem wallet found top_up
-- COST     O(1) a request; touches 20 + 16 a request + 40 a partition

local mark = argument()
open_wallets(1)
open_top_ups()

local function told(outcome, wallet, user, charge)
  local record = get(wallet.top_ups, charge)
  if record then
    return { outcome, charge, 'open', record }
  end
  return { outcome, charge, 'ended', (assert(read_end(wallet, user, charge), 'a top-up without its end')) }
end

local function decide_top_up(request)
  local wallet = wallets[request.partition]
  local known, refused = known_charge(wallet, request, request.user)
  if refused then
    return refused
  end
  if known then
    return told('replayed', wallet, request.user, known)
  end
  if is_leaving(wallet, request.user) then
    return { 'request_in_progress' }
  end
  if read_balance(wallet, request.user) + request.amount >= AMOUNT_MAX then
    return { 'amount_out_of_range' }
  end
  request.stop = wallet.log.now + request.within
  write_top_up(wallet, request, 'authorising')
  remember(wallet.idem, request.request, request.fingerprint, request.user, request.charge, wallet.log.now)
  emit(wallet.log, table.concat({
    top_up_event('charging', request), int(request.amount), request.currency, int(request.stop), prefixed(request.request),
    request.fingerprint,
  }, ' '))
  return told('begun', wallet, request.user, request.charge)
end

local requests = {}
for i = 1, argument_number() do
  requests[i] = {
    partition = argument(), user = argument(), charge = argument(), amount = argument_number(), currency = argument(),
    within = argument_number(), request = argument(), fingerprint = argument(), refusal = argument(),
  }
end

fetch_of_wallets(requests, 'user', balances_of)
fetch_of_wallets(requests, 'request', results_of)

local outcomes = attempt_all(decide_top_up, requests)
append_wallets(mark)
flush_wallets()
flush_top_ups()
return reply_of_wallets(outcomes)
