-- forget_wallet: a user's id becomes a pseudonym in all that a wallet partition keeps of him; the money stays where it is (0010).
--
-- FLAGS    allow-oom: the law asks for it
-- KEYS     six for the wallet partition of both names: writes all
-- ARGV     mark of the entry; one partition (lib/wallet.lua); then user, pseudonym, mode, ms, count and requests as they were read;
--          look, forget and sweep as in forget.lua; freeze: he can't pay any more
-- OUTCOMES one, then { 'wallet', partition, number, mark }
--   { 'log_lost', partition, number, mark }    retry: later
--   { 'found', balances, requests, balance }   retry: current answer    balances 0: he has none, or it has its new name already
--   { 'forgotten', balances, requests, balance }   retry: balances 0    one that has its new name already stays alone
--   { 'internal', message }                    retry: no
-- INCLUDES text arguments clock journal map log idem wallet pseudonym
-- COST     O(his requests); touches 100 + 20 a request

local mark = argument()
open_wallets(1)
local _, wallet = next(wallets)
local user, pseudonym, mode, before = next_arguments(4)
local names = {}
for i = 1, argument_number() do
  names[i] = argument()
end

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

local function decide_forget()
  local until_then = mode == 'sweep' and tonumber(before) or wallet.log.now
  local found, own = requests_about(wallet.idem, names, user, pseudonym, until_then)
  local told = { 'found', moves and 1 or 0, #found, moves and read_balance(wallet, user) or 0 }
  if mode == 'look' then
    return told
  end
  if mode == 'freeze' then
    freeze()
    return told
  end
  if mode == 'forget' then
    move_balance()
  end
  rename_requests(wallet.idem, found, own, user, pseudonym)
  tell_forgotten(wallet.log, user, pseudonym, mode == 'forget' and (moves or #found > 0))
  told[1] = 'forgotten'
  return told
end

local outcome = lost_outcome(wallet) or attempt(decide_forget)
if not wallet.log.lost then
  append_wallets(mark)
  flush_wallets()
end
return { 'ok', '', 0, '', wallet.log.now, outcome, wallet_positions()[1] }
