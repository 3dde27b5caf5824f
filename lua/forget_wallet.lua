-- forget_wallet: a user's id becomes a pseudonym in all that a wallet partition keeps of him; the money stays where it is (0010).
--
-- FLAGS    allow-oom: the law asks for it
-- KEYS     six for the wallet partition of both names, then its top_ups: writes all
-- ARGV     mark of the entry; one partition (lib/wallet.lua); then user, pseudonym, mode, ms; count and requests, count and open
--          charges through the gateway, as they were read; look, forget and sweep as in forget.lua; freeze: he can't pay any more, and
--          begins no charge through the gateway; idle: as forget, but only of one who has nothing, has moved nothing since ms
--          and of whom no request is remembered (0015)
-- OUTCOMES one, then { 'wallet', partition, number, mark }
--   { 'log_lost', partition, number, mark }    retry: later
--   { 'found', balances, requests, balance, top-ups }   retry: current answer    balances 0: he has none, or it has its new name already;
--                                              of `idle`: he is not; of `forget`: he was
--   { 'forgotten', balances, requests, balance, top-ups }   retry: found    one that has its new name already stays alone
--   { 'internal', message }                    retry: no
-- INCLUDES text arguments clock journal map log idem wallet top_up pseudonym
-- COST     O(his requests and top-ups); touches 100 + 20 a request + 6 a top-up

local mark = argument()
open_wallets(1)
open_top_ups()
local _, wallet = next(wallets)
local user, pseudonym, mode, before = next_arguments(4)

local names, charges = argument_list(), argument_list()

-- A balance under the new name is the end of it: what has come under the old one since is a new user's.
local is_done = not wallet.log.lost and get(wallet.balances, pseudonym)
local moves = not wallet.log.lost and not is_done and get(wallet.balances, user)

-- The mark of lib/wallet.lua; whoever has no balance gets one, to carry it.
local function freeze()
  if is_done or is_leaving(wallet, user) then
    return
  end
  put(wallet.balances, user, (moves or '0 ' .. int(wallet.log.now)) .. LEAVING)
  emit(wallet.log, 'leaving ' .. prefixed(user))
end

local function move_balance()
  if moves then
    put(wallet.balances, pseudonym, string.match(moves, '^%d+ %d+'))
    put(wallet.balances, user, false)
  end
end

-- His charges through the gateway among those named; one of the old name is a new user's once the balance has the new one.
local function top_ups_of()
  fetch(wallet.top_ups, charges)
  return owned_by(user, is_done and {} or charges, function(charge)
    return read_top_up(wallet, charge)
  end)
end

local function is_idle(open)
  local amount, moved = string.match(moves or '0 0', '^(%d+) (%d+)$')
  local is_empty = amount == '0' and #open == 0 and not get(wallet.idem.user, user)
  return is_empty and not is_done and tonumber(moved) <= tonumber(before)
end

local function rename_top_ups(open)
  for _, top_up in ipairs(open) do
    top_up.user = pseudonym
    put_top_up(wallet, top_up)
  end
end

local function decide_forget()
  local open = top_ups_of()
  local until_then = mode == 'sweep' and tonumber(before) or wallet.log.now
  local found, own = requests_about(wallet.idem, names, user, pseudonym, until_then)
  local told = { 'found', moves and 1 or 0, #found, moves and read_balance(wallet, user) or 0, #open }
  -- Given again, it would give the name to what a new user has asked for since.
  if mode == 'look' or mode == 'idle' and not is_idle(open) or mode == 'forget' and is_done then
    return told
  end
  if mode == 'freeze' then
    freeze()
    return told
  end
  if mode ~= 'sweep' then
    rename_top_ups(open)
    move_balance()
  end
  rename_requests(wallet.idem, found, own, user, pseudonym)
  tell_forgotten(wallet.log, user, pseudonym, mode == 'idle' or mode == 'forget' and (moves or #found + #open > 0))
  told[1] = 'forgotten'
  return told
end

local outcome = lost_outcome(wallet) or attempt(decide_forget)
if not wallet.log.lost then
  append_wallets(mark)
  flush_wallets()
  flush_top_ups()
end
return { 'ok', '', 0, '', wallet.log.now, outcome, wallet_positions()[1] }
