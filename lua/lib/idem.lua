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

local function keep_result(store, request, fingerprint, result, at)
  put(store.result, request, fingerprint .. ' ' .. result)
  put(store.stop, request, int(at + REQUEST_KEEP_MS))
end

local function remember(store, request, fingerprint, user, result, at)
  if request == '' then
    return
  end
  keep_result(store, request, fingerprint, result, at)
  put(store.user, user, int(tonumber(get(store.user, user) or 0) + 1))
end

-- Whether a request, by what follows its user, counts among his: what became of a top-up (lib/top_up.lua) is no key of his own.
local function counts_as_own(verb)
  return verb ~= 'ended:'
end

-- Forgets requests whose time is over, at most `limit`. The user stands at the head of a request, length-prefixed.
local function forget_requests(store, at, limit)
  local due = redis.call('ZRANGEBYSCORE', store.stop.key, '-inf', int(at), 'LIMIT', 0, limit)
  local users = {}
  for _, request in ipairs(due) do
    local size, rest = string.match(request, '^(%d+):(.*)$')
    local user, verb = string.sub(rest, 1, tonumber(size)), string.match(rest, '^%l+:', tonumber(size) + 1)
    put(store.result, request, false)
    put(store.stop, request, false)
    if counts_as_own(verb) then
      users[#users + 1] = user
    end
  end
  fetch(store.user, users)
  for _, user in ipairs(users) do
    local left = tonumber(get(store.user, user) or 1) - 1
    put(store.user, user, left > 0 and int(left))
  end
  return #due
end
