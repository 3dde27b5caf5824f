-- idem: first answers by request id, so that a request sent twice has one effect. Of a concert and of a wallet partition.

local REQUEST_KEEP_MS = 24 * 3600 * 1000
local REQUESTS_PER_USER_MAX = 1000

-- The stored result of a request, or a refusal: `{ 'idempotency_key_reused' }`. Both nil if it is new.
local function recall(store, request, fingerprint)
  local kept = request ~= '' and get(store.result, request)
  if not kept then
    return nil, nil
  end
  local known, result = string.match(kept, '^(%S+) (.*)$')
  if known ~= fingerprint then
    return nil, { 'idempotency_key_reused' }
  end
  return result, nil
end

local function has_too_many_requests(store, request, user)
  return request ~= '' and tonumber(get(store.user, user) or 0) >= REQUESTS_PER_USER_MAX
end

local function remember(store, request, fingerprint, user, result, at)
  if request == '' then
    return
  end
  put(store.result, request, fingerprint .. ' ' .. result)
  put(store.stop, request, int(at + REQUEST_KEEP_MS))
  put(store.user, user, int(tonumber(get(store.user, user) or 0) + 1))
end

-- Forgets requests whose time is over, at most `limit`. The user stands at the head of a request, length-prefixed.
local function forget_requests(store, at, limit)
  local due = redis.call('ZRANGEBYSCORE', store.stop.key, '-inf', int(at), 'LIMIT', 0, limit)
  local users = {}
  for i, request in ipairs(due) do
    local size, rest = string.match(request, '^(%d+):(.*)$')
    users[i] = string.sub(rest, 1, tonumber(size))
  end
  fetch(store.user, users)
  for i, request in ipairs(due) do
    local left = tonumber(get(store.user, users[i]) or 1) - 1
    put(store.result, request, false)
    put(store.stop, request, false)
    put(store.user, users[i], left > 0 and int(left))
  end
  return #due
end
