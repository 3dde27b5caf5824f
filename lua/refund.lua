-- refund: seats of a CONFIRMED reservation are free again and their price is back in its owner's balance, each seat once: money and
-- seats in one step. What a card paid is owed to the card from then on, and the gateway is told later; the balance stays.
--
-- FLAGS    allow-oom: it gives back
-- KEYS     the concert block, three keys for each show, six for each wallet partition: writes meta, log, res, ended, the requests,
--          seats, holder, owned, cards
-- ARGV     head of lib/concert.lua with the shows; partitions (lib/wallet.lua); then count, and for each request: owner, show,
--          reservation, refund id, partition of the owner, request ('' of what is refunded by itself), fingerprint, user whose
--          request it is, indexes of the seats separated by a comma ('': all that are left)
-- OUTCOMES in order of precedence; nothing has happened unless 'refunded'
--   { 'replayed', refund, reservation, show, seats, amount, status }   retry: same answer
--   { 'idempotency_key_reused' }                retry: no
--   { 'log_lost', partition, number, mark }     retry: later    the log of the owner's partition was lost
--   { 'rate_limited' }                          retry: when older keys are forgotten
--   { 'sales_stopped' }                         retry: later
--   { 'invalid_reservation', reason }           retry: no    not_found (not paid, too)
--                                               cancelled expired refunded (one of the seats, too)
--                                               anonymous (paid from a balance, and its retention is over)
--   { 'request_in_progress' }                   retry: later    its owner is being forgotten: the balance has not got his new name yet,
--                                               or, of a card, is about to
--   { 'amount_out_of_range' }                   retry: when he has paid something    the balance would reach 2^53
--   { 'refunded', refund, reservation, show, seats, amount, status }
--   { 'internal', message }                     retry: no
--   After the outcomes of all requests: { 'wallet', partition, number, mark } for each partition not lost
-- INCLUDES text arguments clock journal map log concert idem reservation wallet card
-- COST     O(seats) a request; touches 100 + 36 a request + 6 a seat + 40 a partition

if log.lost then
  return lost_reply(log)
end

open_wallets(#KEYS - 6 * tonumber(ARGV[argument_at + 1]) + 1)

local INVALID = { pending = 'not_found', cancelled = 'cancelled', refunded = 'refunded', expired = 'expired' }

local function invalid_outcome(r, request)
  if not r or r.user ~= request.user or r.show ~= request.show then
    return { 'invalid_reservation', 'not_found' }
  end
  local reason = is_overdue(r) and 'expired' or INVALID[r.status]
  return reason and { 'invalid_reservation', reason } or nil
end

-- The indexes in a list, as keys, and how many there are.
local function index_set(list)
  local set, size = {}, 0
  for index in string.gmatch(list or '', '%d+') do
    set[index], size = true, size + 1
  end
  return set, size
end

-- What is given back now, with its price, and what has been given back in all; nil if a seat asked for is not there any more.
local function choose(r, wanted)
  local gone = index_set(string.match(r.ext, 'refunded=([%d;]+)'))
  local named, missing = index_set(wanted)
  local now_seats, now_indexes, all, amount, left = {}, {}, {}, 0, 0
  for seat, index, price in string.gmatch(r.seats, '((%d+):(%d+))') do
    local chosen = not gone[index] and (wanted == '' or named[index])
    if chosen then
      now_seats[#now_seats + 1], now_indexes[#now_indexes + 1] = seat, index
      amount, missing = amount + tonumber(price), missing - 1
    end
    if chosen or gone[index] then
      all[#all + 1] = seat
    else
      left = left + 1
    end
  end
  if wanted ~= '' and missing > 0 then
    return nil
  end
  return {
    seats = table.concat(now_seats, ','), indexes = now_indexes, amount = amount, all = table.concat(all, ','), left = left,
  }
end

-- The record keeps all of its seats and their price: hold and pay tell first answers from it.
local function write_refund(r, back)
  local list = table.concat(seat_indexes(back.all), ';')
  r.ext = string.gsub(r.ext, ',refunded=[%d;]+', '') .. ',refunded=' .. list
  if back.left == 0 then
    r.status = 'refunded'
    put(ended, r.id, int(now))
  end
  write_reservation(r)
end

-- Money of a card never comes to a balance.
local function is_by_card(r)
  return string.find(r.ext, ',card=', 1, true) ~= nil
end

-- Tells by which word it goes back.
local function move_money(r, request, wallet, amount, balance)
  local word = 'refunded'
  if is_by_card(r) then
    word = 'refunding'
    local debt = { payment = r.payment, refund = request.refund, paid = int(r.amount), amount = int(amount) }
    debt.reservation, debt.show, debt.user = r.id, r.show, r.user
    write_card(debt, 'refund')
  else
    write_balance(wallet, r.user, balance)
  end
  emit(wallet.log, word .. ' ' .. request.refund .. ' ' .. prefixed(r.user) .. ' ' .. request.concert .. ' ' .. r.show .. ' '
    .. r.id .. ' ' .. int(amount) .. ' ' .. int(balance))
  set_count('revenue', count('revenue') - amount)
  return word
end

local function decide_refund(request)
  local wallet = wallets[request.partition]
  local result, refused = recall(idem, request.request, request.fingerprint)
  if result then
    return { 'replayed', string.match(result, '^(%S+) (%S+) (%d+) (%S+) (%d+) (%l+)$') }
  end
  refused = refused or lost_outcome(wallet)
  if refused then
    return refused
  end
  if has_too_many_requests(idem, request.request, request.by) then
    return { 'rate_limited' }
  end
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  local r = read_reservation(request.reservation)
  local invalid = invalid_outcome(r, request)
  if invalid then
    return invalid
  end
  local back = choose(r, request.seats)
  if not back then
    return { 'invalid_reservation', 'refunded' }
  end
  local by_card = is_by_card(r)
  if not by_card and is_anonymous(r.user) then
    return { 'invalid_reservation', 'anonymous' }
  end
  -- Whoever has paid from a balance has one, be it 0; who paid by card may have none, unless he is being forgotten.
  if not get(wallet.balances, r.user) and (not by_card or is_pseudonym(r.user)) then
    return { 'request_in_progress' }
  end
  -- A debt to a card has a record of its own: while he is being forgotten there is none that nobody has named.
  if by_card and is_leaving(wallet, r.user) then
    return { 'request_in_progress' }
  end
  local balance = read_balance(wallet, r.user) + (by_card and 0 or back.amount)
  if balance >= AMOUNT_MAX then
    return { 'amount_out_of_range' }
  end
  write_refund(r, back)
  local cancelled = give_seats(r, back.indexes)
  local word = move_money(r, request, wallet, back.amount, balance)
  local told = { request.refund, r.id, r.show, back.seats, int(back.amount), r.status }
  remember(idem, request.request, request.fingerprint, request.by, table.concat(told, ' '), now)
  emit(log, word .. ' ' .. r.id .. ' ' .. r.show .. ' ' .. prefixed(r.user) .. ' ' .. request.refund .. ' ' .. int(back.amount)
    .. ' ' .. int(balance) .. ' ' .. back.seats .. ' ' .. back.all .. ' ' .. r.status .. ' ' .. prefixed(request.request) .. ' '
    .. (request.request == '' and '-' or request.fingerprint) .. (by_card and ' ' .. r.payment .. ' ' .. int(r.amount) or ''))
  if cancelled then
    tell_blocked(shows[r.show], back.indexes)
  else
    set_count('sellable', count('sellable') + #back.indexes)
  end
  return { 'refunded', unpack(told) }
end

local concert = string.match(KEYS[1], '^{c(%d+)}')
local requests, ids, keys = {}, {}, {}
for i = 1, argument_number() do
  local user, show, reservation, refund, partition, key, fingerprint, by, seats = next_arguments(9)
  requests[i] = {
    concert = concert, user = user, show = show, reservation = reservation, refund = refund, partition = partition,
    request = key, fingerprint = fingerprint, by = by, seats = seats,
  }
  ids[i] = reservation
  if key ~= '' then
    keys[#keys + 1] = key
  end
end
fetch(reservations, ids)
fetch(idem.result, keys)
fetch_of_wallets(requests, 'user', balances_of)

local outcomes = attempt_all(decide_refund, requests)
append_wallets(mark)
commit()
flush_wallets()
return reply(with_positions(outcomes))
