-- snapshot_wallet: one page of a wallet partition's balances or requests, with the number of the last entry it knows; changes nothing.
--
-- FLAGS    no-writes
-- KEYS     six for the wallet partition: reads meta, balances, idem
-- ARGV     a mark, not used; one partition (lib/wallet.lua); then cursor, and for requests a pattern
-- OUTCOMES one, then { 'wallet', partition, number, mark }
--   { 'log_lost', partition, number, mark }   retry: later    the log of the partition was lost
--   { 'balances', next cursor ('0': the end), users in all, user, record, … }
--   { 'requests', next cursor ('0': the end), request, … }   those that the pattern (as of KEYS) fits
-- INCLUDES text arguments clock journal map log wallet
-- COST     O(1), some 500 elements; touches 2,100

local PAGE_MAX = 500

argument()
open_wallets(1)
local _, wallet = next(wallets)

local function balances_page(cursor)
  local key = wallet.balances.key
  local found = redis.call('HSCAN', key, cursor, 'COUNT', PAGE_MAX)
  return { 'balances', found[1], redis.call('HLEN', key), unpack(found[2]) }
end

local function requests_page(cursor, pattern)
  local found = redis.call('HSCAN', wallet.idem.result.key, cursor, 'MATCH', pattern, 'COUNT', PAGE_MAX)
  local page = { 'requests', found[1] }
  for i = 1, #found[2], 2 do
    page[#page + 1] = found[2][i]
  end
  return page
end

local cursor = argument()
local page = lost_outcome(wallet) or (ARGV[argument_at + 1] and requests_page(cursor, argument()) or balances_page(cursor))
return { 'ok', '', 0, '', wallet.log.now, page, wallet_positions()[1] }
