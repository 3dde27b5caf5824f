-- card: card payments that the gateway has still to be asked or told about, by payment id (formats 7).
-- KEYS: cards of the concert block. A record goes when the gateway has captured or voided the payment, not before.

local function read_card(payment)
  local record = get(cards, payment)
  if not record then
    return nil
  end
  local state, reservation, show, amount, since, user = string.match(record, '^(%l+) (%S+) (%d+) (%d+) (%d+) (.*)$')
  return {
    payment = payment, state = state, reservation = reservation, show = show, amount = amount, since = since, user = user,
  }
end

-- `authorising`: the buyer and his bank are at it; `capture`, `void`: decided, the gateway is to be told.
local function write_card(card, state)
  card.state, card.since = state, int(now)
  put(cards, card.payment, state .. ' ' .. card.reservation .. ' ' .. card.show .. ' ' .. card.amount .. ' ' .. card.since .. ' '
    .. card.user)
end

-- `word reservation show user payment`, as every event of a card payment begins.
local function card_event(word, card)
  return word .. ' ' .. card.reservation .. ' ' .. card.show .. ' ' .. prefixed(card.user) .. ' ' .. card.payment
end

-- The card payment that is under way for a reservation, or nil.
local function card_of(r)
  return string.match(r.ext, '^card=(%w+)$')
end
