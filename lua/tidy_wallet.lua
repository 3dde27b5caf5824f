-- tidy_wallet: forgets the requests of wallet partitions after their 24 hours.
--
-- FLAGS    allow-oom: it only frees
-- KEYS     six for each wallet partition: writes idem, idem_end, idem_user
-- ARGV     a mark, not used; partitions (lib/wallet.lua)
-- OUTCOMES one a partition
--   { 'tidied', requests }                    retry: until 0
-- INCLUDES text arguments clock journal map log idem wallet
-- COST     O(1), at most 100 requests a partition; touches 20 + 750 a partition

local TIDY_MAX = 100

argument()
open_wallets(1)
local answer = { 'ok', '', 0, '', 0 }
for _, wallet in pairs(wallets) do
  local forgotten = wallet.log.lost and 0 or forget_requests(wallet.idem, wallet.log.now, TIDY_MAX)
  answer[#answer + 1] = { 'tidied', forgotten }
end
flush_wallets()
return answer
