-- card: card payments, and refunds to cards, that the gateway has still to be asked or told about, by their ids (formats 7).
-- KEYS: cards of the concert block. A record goes when the gateway has captured, voided or given back, not before.

-- A refund has a name of its own, and the payment that it gives back of with what that paid.
local function read_card(name)
  local record = get(cards, name)
  if not record then
    return nil
  end
  local state, reservation, show, amount, since, user = string.match(record, '^(%l+) (%S+) (%d+) (%d+) (%d+) (.*)$')
  local payment, paid, refund = name, nil, nil
  if state == 'refund' or state == 'refused' then
    refund, payment, paid, user = name, string.match(user, '^(%w+) (%d+) (.*)$')
  end
  return {
    payment = payment, refund = refund, paid = paid, state = state, reservation = reservation, show = show, amount = amount,
    since = since, user = user,
  }
end

local function put_card(card)
  local of = card.refund and card.payment .. ' ' .. card.paid .. ' ' or ''
  put(cards, card.refund or card.payment, card.state .. ' ' .. card.reservation .. ' ' .. card.show .. ' ' .. card.amount .. ' '
    .. card.since .. ' ' .. of .. card.user)
end

-- `authorising`: the buyer and his bank are at it; `capture`, `void`, `refund`: decided, the gateway is to be told; `refused`: it
-- does not give the money back.
local function write_card(card, state)
  card.state, card.since = state, int(now)
  put_card(card)
end

-- `word reservation show user payment`, as every event of a card payment begins; a refund and its amount follow.
local function card_event(word, card)
  return word .. ' ' .. card.reservation .. ' ' .. card.show .. ' ' .. prefixed(card.user) .. ' ' .. card.payment
    .. (card.refund and ' ' .. card.refund .. ' ' .. card.amount or '')
end

-- The card payment that is under way for a PENDING reservation, or nil.
local function card_of(r)
  return string.match(r.ext, '^card=(%w+)')
end

-- A reservation remembers so many of its declined payments, the last ones: its record must not grow with every card that somebody
-- tries. How others ended the archive tells.
local DECLINED_MAX = 8

-- What it remembers of them, behind a comma, the last one first; '' if there is none.
local function declined_of(r)
  local declined = string.match(r.ext, 'declined=.*')
  return declined and ',' .. declined or ''
end

local function is_declined(r, payment)
  return string.find(declined_of(r) .. ',', ',declined=' .. payment .. ',', 1, true) ~= nil
end

local function note_declined(r, payment)
  local before = declined_of(r)
  local _, remembered = string.gsub(before, ',', '')
  if remembered >= DECLINED_MAX then
    before = string.match(before, '^(.*),')
  end
  r.ext = 'declined=' .. payment .. before
end
