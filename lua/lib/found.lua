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
