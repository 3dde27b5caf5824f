-- credit: what becomes of a top-up of which the gateway says this. Whether it is to take the money or to let it go is decided here,
-- once and for good, before it is told; and once it has, the balance is credited exactly once, or nothing of it is left.
--
-- FLAGS    allow-oom: the money has been taken
-- KEYS     six for each wallet partition, then top_ups of each: writes all
-- ARGV     mark of the entries; partitions (lib/wallet.lua); then count, and for each request: partition, user, charge id, what the
--          gateway says: pending, authorised or declined, and at the end captured or voided
-- OUTCOMES in order of precedence
--   { 'log_lost', partition, number, mark }     retry: later
--   { 'ended', end }                            retry: same answer    it was at its end before
--   { 'not_found' }                             retry: no    there is no such top-up of his, or its end is forgotten
--   { 'amount_out_of_range' }                   retry: when he has paid something    captured, but the balance would reach 2^53: it waits
--   { 'credited', end }                         retry: { 'ended', end }
--   { 'voided', end }                           retry: { 'ended', end }
--   { 'capture' }                               retry: same answer    authorised in time: the gateway is to take the money
--   { 'void' }                                  retry: same answer    declined or expired: it is to let it go
--   { 'pending' }                               retry: later
--   { 'internal', message }                     retry: no
--   After the outcomes of all requests: { 'wallet', partition, number, mark } for each partition not lost
-- INCLUDES text arguments clock journal map log idem wallet top_up
-- COST     O(1) a request; touches 20 + 18 a request + 40 a partition

local mark = argument()
open_wallets(1)
open_top_ups()

-- Why there is no money, by how far the top-up was when the gateway said so.
local REASON = { authorising = 'declined', declined = 'declined', expired = 'expired', capture = 'refused' }

-- Money that was taken is credited whatever had been decided.
local function credit(wallet, top_up)
  local balance = read_balance(wallet, top_up.user) + top_up.amount
  if balance >= AMOUNT_MAX then
    return { 'amount_out_of_range' }
  end
  local told = 'credited ' .. int(top_up.amount) .. ' ' .. int(balance)
  write_balance(wallet, top_up.user, balance)
  end_top_up(wallet, top_up, told)
  emit(wallet.log, top_up_event('credited', top_up) .. ' ' .. int(top_up.amount) .. ' ' .. int(balance))
  return { 'credited', told }
end

local function let_go(wallet, top_up)
  local reason = REASON[top_up.state]
  local told = reason .. ' ' .. int(top_up.amount)
  end_top_up(wallet, top_up, told)
  emit(wallet.log, top_up_event('voided', top_up) .. ' ' .. int(top_up.amount) .. ' ' .. reason)
  return { 'voided', told }
end

local function capture(wallet, top_up)
  write_top_up(wallet, top_up, 'capture')
  emit(wallet.log, top_up_event('capturing', top_up))
  return { 'capture' }
end

local function give_up(wallet, top_up, reason)
  write_top_up(wallet, top_up, reason)
  emit(wallet.log, top_up_event('voiding', top_up) .. ' ' .. reason)
  return { 'void' }
end

local function decide_open(wallet, top_up, verdict)
  if verdict == 'declined' then
    return give_up(wallet, top_up, 'declined')
  end
  if wallet.log.now >= top_up.stop then
    return give_up(wallet, top_up, 'expired')
  end
  if verdict == 'authorised' then
    return capture(wallet, top_up)
  end
  assert(verdict == 'pending', 'unknown verdict')
  return { 'pending' }
end

local function decide_credit(request)
  local wallet = wallets[request.partition]
  local lost = lost_outcome(wallet)
  if lost then
    return lost
  end
  local top_up = read_top_up(wallet, request.charge)
  -- Who was forgotten while the gateway answered is credited by his new name.
  if not top_up or top_up.user ~= request.user and not is_pseudonym(top_up.user) then
    local known = read_end(wallet, request.user, request.charge)
    return known and { 'ended', known } or { 'not_found' }
  end
  if request.verdict == 'captured' then
    return credit(wallet, top_up)
  end
  if request.verdict == 'voided' then
    return let_go(wallet, top_up)
  end
  if top_up.state == 'authorising' then
    return decide_open(wallet, top_up, request.verdict)
  end
  return { top_up.state == 'capture' and 'capture' or 'void' }
end

local requests = {}
for i = 1, argument_number() do
  requests[i] = { partition = argument(), user = argument(), charge = argument(), verdict = argument() }
end

fetch_of_wallets(requests, 'charge', function(wallet) return wallet.top_ups end)

local outcomes = attempt_all(decide_credit, requests)
append_wallets(mark)
flush_wallets()
flush_top_ups()
return reply_of_wallets(outcomes)
