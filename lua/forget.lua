-- forget: a user's id becomes a pseudonym in all that a concert keeps of him; what he has bought stays bought (decision 0010).
--
-- FLAGS    allow-oom: the law asks for it
-- KEYS     the concert block and three keys for each of its shows: writes all but policy
-- ARGV     head of lib/concert.lua with the shows; then user, pseudonym, mode, ms; count and reservations, count and requests, count
--          and open card payments and refunds to cards, as they were read. look: of him, changes nothing. forget: ends what is live
--          of him and renames all. idle: the same, but only of one of whom nothing is live and no request is remembered, who has
--          made no reservation since ms, while nothing is owed to any card; the log is told even if there is nothing (0015).
--          sweep, once the archive has that entry: those of the pseudonym's reservations and cards that still name him, requests
--          made until then (ms), and that the last entry, which Redis keeps, does not name him; all else under his id is a new user's
-- OUTCOMES one, in order of precedence
--   { 'sales_stopped' }                        retry: later
--   { 'incomplete' }                           retry: with reservations read again    forget: he has others that are booked
--   { 'found', reservations, requests, seq, holds, places, cards }   retry: current answer    seq: the last number given in line;
--                                              the last three: what is live of him; of `idle`: nothing has changed
--   { 'forgotten', reservations, requests, seq, holds, places, cards }   retry: of what is new; sweep: 0    as it found them
--   { 'internal', message }                    retry: no
-- INCLUDES text arguments clock journal map log concert idem place reservation card pseudonym
-- COST     O(his reservations and their seats, his requests and cards, shows)
--          touches 200 + 20 a reservation + 6 a seat + 20 a request + 6 a card + 10 a show

if log.lost then
  return lost_reply(log)
end

local user, pseudonym, mode, before = next_arguments(4)

local ids, names, card_names = argument_list(), argument_list(), argument_list()

-- His reservations among those named, and all that are PENDING.
local function reservations_of()
  if mode ~= 'sweep' then
    for id in string.gmatch(get(pending, user) or '', '%S+') do
      ids[#ids + 1] = id
    end
  end
  fetch(reservations, ids)
  return owned_by(user, ids, read_reservation)
end

local function seats_owned(r)
  if r.status ~= 'pending' and r.status ~= 'confirmed' then
    return 0
  end
  local _, back = string.gsub(string.match(r.ext, 'refunded=([%d;]+)') or '', '%d+', '')
  return #seat_indexes(r.seats) - back
end

-- Whether every seat that he owns is of one of these.
local function are_whole(mine)
  local owned = {}
  for _, r in ipairs(mine) do
    owned[r.show] = (owned[r.show] or 0) + seats_owned(r)
  end
  for id, show in pairs(shows) do
    if tonumber(get(show.owned, user) or 0) ~= (owned[id] or 0) then
      return false
    end
  end
  return true
end

local CARD_WORDS = { card = true, declined = true, overtaken = true }

-- His card payments and refunds to cards that are not at their end: those named, and of his reservations those that nobody knew of.
local function cards_of(mine)
  for _, r in ipairs(mine) do
    for word, payment in string.gmatch(r.ext, '(%l+)=(%w+)') do
      card_names[#card_names + 1] = CARD_WORDS[word] and payment
    end
  end
  fetch(cards, card_names)
  return owned_by(user, card_names, read_card)
end

local function count_live(mine, open)
  local holds = 0
  for _, r in ipairs(mine) do
    holds = holds + (r.status == 'pending' and not is_overdue(r) and 1 or 0)
  end
  local held = read_place(user)
  local active_now = held and not overdue(held)
  return holds, (active_now or get(queue, user)) and 1 or 0, #open
end

-- Nothing of his is live or remembered, he has made no reservation since `before`, and nothing is owed to any card: a debt lies under
-- its own name, and an archive that is behind could not name it.
local function is_idle(mine, live)
  for _, r in ipairs(mine) do
    live = live + (tonumber(r.created) > tonumber(before) and 1 or 0)
  end
  return live == 0 and not get(idem.user, user) and redis.call('HLEN', cards.key) == 0
end

local function end_live(mine)
  for _, r in ipairs(mine) do
    if is_overdue(r) then
      expire_reservation(r)
    elseif r.status == 'pending' then
      free_reservation(r, 'cancelled', 'released', 'user')
    end
  end
  local held, seq = live_place(user), get(queue, user)
  if held then
    end_place(held, 'left')
  end
  if seq then
    end_waiting(user, tonumber(seq), 'left')
  end
end

local function rename_reservations(mine, open)
  for _, card in ipairs(open) do
    card.user = pseudonym
    put_card(card)
  end
  for _, r in ipairs(mine) do
    r.user = pseudonym
    write_reservation(r)
  end
end

local function rename_owned()
  for _, show in pairs(shows) do
    local owned = get(show.owned, user)
    if owned then
      put(show.owned, pseudonym, int(tonumber(get(show.owned, pseudonym) or 0) + tonumber(owned)))
      put(show.owned, user, false)
    end
  end
end

local function decide_forget()
  if get(log.meta, 'stopped') then
    return { 'sales_stopped' }
  end
  local mine = reservations_of()
  local open = cards_of(mine)
  local found, own = requests_about(idem, names, user, pseudonym, mode == 'sweep' and tonumber(before) or now)
  local told = { 'forgotten', #mine, #found, count('seq'), count_live(mine, open) }
  if mode == 'look' or mode == 'idle' and not is_idle(mine, told[5] + told[6] + told[7]) then
    told[1] = 'found'
    return told
  end
  if mode ~= 'sweep' then
    if not are_whole(mine) then
      return { 'incomplete' }
    end
    end_live(mine)
    rename_owned()
  end
  rename_reservations(mine, open)
  rename_requests(idem, found, own, user, pseudonym)
  tell_forgotten(log, user, pseudonym, mode == 'idle' or mode ~= 'sweep' and #mine + #found + #open > 0)
  return told
end

local outcome = attempt(decide_forget)
commit()
return reply({ outcome })
