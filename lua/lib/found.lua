-- found: what the server found against a new charge, since only it knows: it counts only if the request is new.

local FOUND = {
  sales_stopped = { 'sales_stopped' },
  queue_token_invalid = { 'queue_token_invalid' },
  queue_token_expired = { 'queue_token_expired' },
}

-- The outcome that the server found, with a position behind a space where it has one, or nil.
local function found_outcome(request)
  if request.refusal == '' then
    return nil
  end
  local name, position = string.match(request.refusal, '^(%S+) ?(%d*)$')
  if name == 'queue_token_not_active' then
    return { 'queue_token_not_active', (assert(tonumber(position), 'no position')) }
  end
  return assert(FOUND[name], 'unknown refusal')
end

-- What is kept of a charge that was asked for before, or nil; and why it can't be begun, or nil. `by` is whose request it is.
local function known_charge(wallet, request, by)
  local lost = lost_outcome(wallet)
  if lost then
    return nil, lost
  end
  local known, refused = recall(wallet.idem, request.request, request.fingerprint)
  if known or refused then
    return known, refused
  end
  if has_too_many_requests(wallet.idem, request.request, by) then
    return nil, { 'rate_limited' }
  end
  return nil, found_outcome(request)
end
