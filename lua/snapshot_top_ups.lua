-- snapshot_top_ups: one page of a wallet partition's top-ups that are not at their end, with the number of the last entry it knows;
-- changes nothing.
--
-- FLAGS    no-writes
-- KEYS     six for the wallet partition, then its top_ups: reads meta, top_ups
-- ARGV     a mark, not used; one partition (lib/wallet.lua); then cursor
-- OUTCOMES one, then { 'wallet', partition, number, mark }
--   { 'log_lost', partition, number, mark }   retry: later    the log of the partition was lost
--   { 'top_ups', next cursor ('0': the end), top-ups in all, charge, record, … }
-- INCLUDES text arguments clock journal map log idem wallet top_up
-- COST     O(1), some 500 elements; touches 2,100

local PAGE_MAX = 500

argument()
open_wallets(1)
open_top_ups()
local _, wallet = next(wallets)

local function top_ups_page(cursor)
  local key = wallet.top_ups.key
  local found = redis.call('HSCAN', key, cursor, 'COUNT', PAGE_MAX)
  return { 'top_ups', found[1], redis.call('HLEN', key), unpack(found[2]) }
end

local page = lost_outcome(wallet) or top_ups_page(argument())
return { 'ok', '', 0, '', wallet.log.now, page, wallet_positions()[1] }
