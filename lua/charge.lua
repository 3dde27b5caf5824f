-- charge: money comes into each user's balance, once for each request.
--
-- FLAGS    none
-- KEYS     six for each wallet partition: writes all
-- ARGV     mark of the entries; partitions (lib/wallet.lua); then count, and for each request: partition, user, charge id, amount, request,
--          fingerprint, user whose request it is (a cashier charges for others), the refusal that the server found for him, with
--          its position behind a space ('' if he may charge): it counts only if the request is new
-- OUTCOMES in order of precedence
--   { 'log_lost', partition, number, mark }     retry: later
--   { 'replayed', charge, amount, balance }     retry: same answer
--   { 'idempotency_key_reused' }                retry: no
--   { 'rate_limited' }                          retry: when older keys are forgotten
--   { 'sales_stopped' }                         retry: later    the server found one of these four
--   { 'queue_token_invalid' }                   retry: with a token
--   { 'queue_token_not_active', position }      retry: when active
--   { 'queue_token_expired' }                   retry: no
--   { 'amount_out_of_range' }                   retry: no    the balance would reach 2^53
--   { 'charged', charge, amount, balance }
--   { 'internal', message }                     retry: no
--   After the outcomes of all requests: { 'wallet', partition, number, mark } for each partition not lost
-- INCLUDES text arguments clock journal map log idem wallet found
-- COST     O(1) a request; touches 20 + 12 a request + 40 a partition

local mark = argument()
open_wallets(1)

local function decide_charge(request)
  local wallet = wallets[request.partition]
  local known, refused = known_charge(wallet, request, request.by)
  if refused then
    return refused
  end
  if known then
    local charge, amount, balance = string.match(known, '^(%S+) (%d+) (%d+)$')
    return { 'replayed', charge, amount, balance }
  end
  local balance = read_balance(wallet, request.user) + request.amount
  if balance >= AMOUNT_MAX then
    return { 'amount_out_of_range' }
  end
  write_balance(wallet, request.user, balance)
  local result_kept = table.concat({ request.charge, int(request.amount), int(balance) }, ' ')
  remember(wallet.idem, request.request, request.fingerprint, request.by, result_kept, wallet.log.now)
  emit(wallet.log, table.concat({
    'charged', request.charge, prefixed(request.user), int(request.amount), int(balance), prefixed(request.request),
    request.fingerprint,
  }, ' '))
  return { 'charged', request.charge, int(request.amount), int(balance) }
end

local requests = {}
for i = 1, argument_number() do
  requests[i] = {
    partition = argument(), user = argument(), charge = argument(), amount = argument_number(), request = argument(),
    fingerprint = argument(), by = argument(), refusal = argument(),
  }
end

fetch_of_wallets(requests, 'user', balances_of)
fetch_of_wallets(requests, 'request', results_of)

local outcomes = attempt_all(decide_charge, requests)
append_wallets(mark)
flush_wallets()
return reply_of_wallets(outcomes)
