-- pseudonym: the requests of a user who is forgotten, under the name that he has from then on (decision 0010).
-- KEYS: idem, idem_end, idem_user of a concert or of a wallet partition.

-- A number, and so many arguments.
local function argument_list()
  local list = {}
  for i = 1, argument_number() do
    list[i] = argument()
  end
  return list
end

-- The records of these ids that are the user's, each once.
local function owned_by(user, ids, read)
  local found, seen = {}, {}
  for _, id in ipairs(ids) do
    local record = not seen[id] and read(id)
    if record and record.user == user then
      found[#found + 1] = record
    end
    seen[id] = true
  end
  return found
end

-- `gsub` without patterns.
local function replaced(text, from, to)
  local parts, at = {}, 1
  local first, last = string.find(text, from, 1, true)
  while first do
    parts[#parts + 1] = string.sub(text, at, first - 1) .. to
    at = last + 1
    first, last = string.find(text, from, at, true)
  end
  return table.concat(parts) .. string.sub(text, at)
end

-- The text at the head of `<bytes>:<text><rest>`, and the rest.
local function split_text(text)
  local size, rest = string.match(text, '^(%d+):(.*)$')
  return string.sub(rest, 1, tonumber(size)), string.sub(rest, tonumber(size) + 1)
end

-- The request as the pseudonym would have made it, and whether it counts among the user's own; nil if it is not about him.
local function renamed_request(request, user, pseudonym)
  local by, tail = split_text(request)
  local verb, key = string.match(tail, '^(%l+:)(.*)$')
  local mine, whose = by == user, ''
  if verb == 'charge:' then
    local charged, left = split_text(key)
    mine, key = mine or charged == user, left
    whose = prefixed(charged == user and pseudonym or charged)
  end
  if not mine then
    return nil, false
  end
  -- The id of a charge was made here, and stays.
  local kept = verb == 'ended:' and key or replaced(key, user, pseudonym)
  return prefixed(by == user and pseudonym or by) .. verb .. whose .. kept, by == user and counts_as_own(verb)
end

-- Those of these requests that are remembered, about the user and not made after `before`: old name, new name; and how many are his
-- own.
local function requests_about(store, names, user, pseudonym, before)
  fetch(store.result, names)
  fetch(store.stop, names)
  local found, own, seen = {}, 0, {}
  for _, name in ipairs(names) do
    local renamed, mine = renamed_request(name, user, pseudonym)
    local stop = renamed and not seen[name] and get(store.result, name) and tonumber(get(store.stop, name))
    if stop and stop <= before + REQUEST_KEEP_MS then
      found[#found + 1] = { name, renamed }
      own = own + (mine and 1 or 0)
      seen[name] = true
    end
  end
  return found, own
end

-- Between two calls of a run that is given again a key may have been used again: the two requests are one from then on.
local function rename_requests(store, found, own, user, pseudonym)
  local new_names = {}
  for i, names in ipairs(found) do
    new_names[i] = names[2]
  end
  fetch(store.result, new_names)
  for _, names in ipairs(found) do
    local old, new = names[1], names[2]
    if get(store.result, new) then
      local by = split_text(new)
      put(store.user, by, int(tonumber(get(store.user, by) or 1) - 1))
    end
    put(store.result, new, get(store.result, old))
    put(store.stop, new, int(tonumber(get(store.stop, old))))
    put(store.result, old, false)
    put(store.stop, old, false)
  end
  if own > 0 then
    local left = tonumber(get(store.user, user) or 0) - own
    put(store.user, pseudonym, int(tonumber(get(store.user, pseudonym) or 0) + own))
    put(store.user, user, left > 0 and int(left))
  end
end

-- Whether the last entry, which Redis keeps however old it is, tells of the user.
local function ends_with(of, user)
  local entry = redis.call('XRANGE', of.key, int(of.number) .. '-0', int(of.number) .. '-0')[1]
  return entry and string.find(entry[2][2], prefixed(user), 1, true) ~= nil
end

-- Tells that the user has another name from here on; where nothing had his name, only pushes the last entry on.
local function tell_forgotten(of, user, pseudonym, changed)
  if changed then
    emit(of, 'forgotten ' .. prefixed(user) .. ' ' .. prefixed(pseudonym))
  elseif ends_with(of, user) then
    emit(of, 'forgotten ' .. prefixed(pseudonym) .. ' ' .. prefixed(pseudonym))
  end
end
