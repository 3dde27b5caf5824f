-- wallet: the wallet partitions of this batch (formats 1): their logs, balances and requests.
--
-- ARGV at this point: number of partitions, and for each its name and what the server has seen of its log.
-- A partition whose log was lost stops only its own users' requests.

local WALLET_KEYS = 6
-- Lua's numbers are exact below 2^53.
local AMOUNT_MAX = 9007199254740992

-- Behind the record of a user who is being forgotten: money may come to it, but he pays nothing with it, so that what he has bought
-- gets his new name together with the money that paid it (decision 0010).
local LEAVING = ' leaving'

local wallets = {}

local function open_wallets(first_key)
  for i = 1, argument_number() do
    local at = first_key + WALLET_KEYS * (i - 1)
    local name = argument()
    wallets[name] = {
      name = name,
      log = open_log(KEYS[at], KEYS[at + 1], argument_seen(), LOG_FIELDS),
      balances = map('hash', KEYS[at + 2]),
      idem = {
        result = map('hash', KEYS[at + 3]), stop = map('zset', KEYS[at + 4]), user = map('hash', KEYS[at + 5]),
      },
    }
  end
end

local function lost_outcome(wallet)
  return wallet.log.lost and { 'log_lost', wallet.name, wallet.log.number, wallet.log.mark } or nil
end

local function read_balance(wallet, user)
  local record = get(wallet.balances, user)
  return record and tonumber(string.match(record, '^(%d+) ')) or 0
end

local function is_leaving(wallet, user)
  local record = get(wallet.balances, user)
  return record and string.sub(record, -#LEAVING) == LEAVING
end

-- Whether its owner has been forgotten (decision 0010): so begin the names that such users get.
local function is_pseudonym(user)
  return string.sub(user, 1, 10) == 'forgotten-'
end

-- Whether its owner has another name in this concert alone (decision 0015): nobody knows whose balance it was.
local function is_anonymous(user)
  return #user == 30 and string.sub(user, 1, 10) == 'anonymous-'
end

local function write_balance(wallet, user, balance)
  put(wallet.balances, user, int(balance) .. ' ' .. int(wallet.log.now) .. (is_leaving(wallet, user) and LEAVING or ''))
end

-- Where each partition's log stands after this batch: name, number, mark. Not of a lost one: the server would take its
-- end for something that it has seen, and find nothing wrong with the log from then on.
local function wallet_positions()
  local positions = {}
  for _, wallet in pairs(wallets) do
    if not wallet.log.lost then
      positions[#positions + 1] = { 'wallet', wallet.name, wallet.log.number, wallet.log.mark }
    end
  end
  return positions
end

-- These outcomes, and behind them where the wallets' logs stand.
local function with_positions(outcomes)
  for _, position in ipairs(wallet_positions()) do
    outcomes[#outcomes + 1] = position
  end
  return outcomes
end

-- What a script of wallets alone answers: no concert's log has an end to tell.
local function reply_of_wallets(outcomes)
  local answer = { 'ok', '', 0, '', 0 }
  for _, outcome in ipairs(with_positions(outcomes)) do
    answer[#answer + 1] = outcome
  end
  return answer
end

-- One read a partition: what the `field` of each request names, of the map that `map_of` gives of a wallet.
local function fetch_of_wallets(requests, field, map_of)
  local wanted = {}
  for _, request in ipairs(requests) do
    local fields = wanted[request.partition] or {}
    fields[#fields + 1], wanted[request.partition] = request[field], fields
  end
  for partition, fields in pairs(wanted) do
    fetch(map_of(wallets[partition]), fields)
  end
end

local function balances_of(wallet)
  return wallet.balances
end

local function results_of(wallet)
  return wallet.idem.result
end

local function append_wallets(entry)
  for _, wallet in pairs(wallets) do
    append(wallet.log, entry)
  end
end

local function flush_wallets()
  for _, wallet in pairs(wallets) do
    flush(wallet.balances)
    flush(wallet.idem.result)
    flush(wallet.idem.stop)
    flush(wallet.idem.user)
  end
end
