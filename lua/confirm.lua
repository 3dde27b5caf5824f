-- confirm: what becomes of a card payment that the gateway was asked about: the seats are booked before the hold's end and it is
-- to be captured, or it is to be voided, once and for good. What the gateway is told later follows this.
--
-- FLAGS    allow-oom: a payment is the last thing to refuse
-- KEYS     the concert block, three keys for each show, six for each wallet partition: writes all but policy and requests
-- ARGV     head of lib/concert.lua with the shows; partitions (lib/wallet.lua); then count, and for each request: payment, its
--          owner's partition, what the gateway says: authorised, declined, or pending
-- OUTCOMES in order of precedence
--   { 'log_lost', partition, number, mark }     retry: later    the log of the owner's partition was lost
--   { 'settled' }                               retry: same answer    the gateway has done what was decided, or there is no such
--   { 'capture' }                               retry: same answer    its seats are booked
--   { 'void' }                                  retry: same answer    declined, or the hold or its show has ended, or was paid otherwise
--   { 'sales_stopped' }                         retry: later
--   { 'pending' }                               retry: later    or its owner is being forgotten, which ends his holds
--   { 'internal', message }                     retry: no
--   After the outcomes of all requests: { 'wallet', partition, number, mark } for each partition not lost
-- INCLUDES text arguments clock journal map log concert place reservation wallet booking card
-- COST     O(seats) a request; touches 100 + 36 a request + 6 a seat + 40 a partition
--          + 3 a hold of the user

if log.lost then
  return lost_reply(log)
end

open_wallets(#KEYS - 6 * tonumber(ARGV[argument_at + 1]) + 1)

local policy = read_policy()
local concert = string.match(KEYS[1], '^{c(%d+)}')
local ENDED = { expired = 'expired', cancelled = 'cancelled', confirmed = 'paid', refunded = 'paid' }

local function give_up(card, reason)
  write_card(card, 'void')
  emit(log, card_event('voiding', card) .. ' ' .. reason)
  return { 'void' }
end

-- The money comes from outside: the balance is told, and stays.
local function book(card, r, wallet)
  local balance = int(read_balance(wallet, r.user))
  r.status, r.payment, r.ext = 'confirmed', card.payment, 'balance=' .. balance .. ',card=' .. card.payment .. declined_of(r)
  write_reservation(r)
  book_seats(r)
  set_count('revenue', count('revenue') + r.amount)
  emit(wallet.log, 'authorised ' .. card.payment .. ' ' .. prefixed(r.user) .. ' ' .. concert .. ' ' .. r.show .. ' ' .. r.id .. ' '
    .. int(r.amount) .. ' ' .. balance)
  write_card(card, 'capture')
  emit(log, card_event('authorised', card) .. ' ' .. int(r.amount) .. ' ' .. balance .. ' ' .. r.seats .. ' 0: -')
  settle_place(r.user, policy)
  return { 'capture' }
end

local function decide_confirm(request)
  local wallet = wallets[request.partition]
  local lost = lost_outcome(wallet)
  if lost then
    return lost
  end
  local card = read_card(request.payment)
  if not card or card.refund then
    return { 'settled' }
  end
  if card.state ~= 'authorising' then
    return { card.state == 'capture' and 'capture' or 'void' }
  end
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  local r = read_reservation(card.reservation)
  if r then
    end_if_over(r)
  end
  if not r or r.status ~= 'pending' then
    return give_up(card, r and ENDED[r.status] or 'expired')
  end
  if request.verdict == 'authorised' and is_leaving(wallet, r.user) then
    return { 'pending' }
  end
  if request.verdict == 'authorised' then
    return book(card, r, wallet)
  end
  if request.verdict == 'pending' then
    return { 'pending' }
  end
  assert(request.verdict == 'declined', 'unknown verdict')
  note_declined(r, card.payment)
  write_reservation(r)
  return give_up(card, 'declined')
end

local requests, payments, ids = {}, {}, {}
for i = 1, argument_number() do
  local payment, partition, verdict = next_arguments(3)
  requests[i] = { payment = payment, partition = partition, verdict = verdict }
  payments[i] = payment
end
fetch(cards, payments)
for _, request in ipairs(requests) do
  local card = read_card(request.payment)
  ids[#ids + 1] = card and card.reservation
end
fetch(reservations, ids)

local outcomes = attempt_all(decide_confirm, requests)
append_wallets(mark)
commit()
flush_wallets()
return reply(with_positions(outcomes))
