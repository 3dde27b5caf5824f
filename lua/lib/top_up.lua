-- top_up: charges through the payment gateway that are not at their end, by charge id (formats 8).
-- KEYS: top_ups of each wallet partition of the call, behind the keys of all of them and in their order.

local function open_top_ups()
  local partitions = #KEYS / (WALLET_KEYS + 1)
  for i = 1, partitions do
    local key = KEYS[WALLET_KEYS * partitions + i]
    wallets[string.match(key, '^{(w%d+)}')].top_ups = map('hash', key)
  end
end

local function read_top_up(wallet, charge)
  local record = get(wallet.top_ups, charge)
  if not record then
    return nil
  end
  local state, amount, currency, stop, since, user = string.match(record, '^(%l+) (%d+) (%u+) (%d+) (%d+) (.*)$')
  return {
    charge = charge, state = state, amount = tonumber(amount), currency = currency, stop = tonumber(stop), since = since,
    user = user,
  }
end

local function put_top_up(wallet, top_up)
  put(wallet.top_ups, top_up.charge, top_up.state .. ' ' .. int(top_up.amount) .. ' ' .. top_up.currency .. ' ' .. int(top_up.stop) .. ' '
    .. top_up.since .. ' ' .. top_up.user)
end

-- `authorising`: the user and his bank are at it; `capture`: decided, the gateway is to take the money; `declined`, `expired`:
-- decided, it is to let it go.
local function write_top_up(wallet, top_up, state)
  top_up.state, top_up.since = state, int(wallet.log.now)
  put_top_up(wallet, top_up)
end

-- `word charge user`, as every event of a top-up begins.
local function top_up_event(word, top_up)
  return word .. ' ' .. top_up.charge .. ' ' .. prefixed(top_up.user)
end

-- What became of a top-up is kept for 24 hours as a request of its user, under this name; it does not count among his.
local function end_request(user, charge)
  return prefixed(user) .. 'ended:' .. charge
end

-- `credited <amount> <balance>`, or why it was given up and `<amount>`; nil if nothing is known of an end.
local function read_end(wallet, user, charge)
  local kept = get(wallet.idem.result, end_request(user, charge))
  return kept and string.match(kept, '^%S+ (.*)$') or nil
end

local function end_top_up(wallet, top_up, told)
  put(wallet.top_ups, top_up.charge, false)
  keep_result(wallet.idem, end_request(top_up.user, top_up.charge), '-', told, wallet.log.now)
end

local function flush_top_ups()
  for _, wallet in pairs(wallets) do
    flush(wallet.top_ups)
  end
end
