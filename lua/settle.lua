-- settle: the gateway has captured or voided a card payment, or given money back, as was decided: nothing of it is left to do. Or it
-- has refused to give it back: that stays, for people.
--
-- FLAGS    allow-oom: it only frees
-- KEYS     the concert block: writes meta, log, cards
-- ARGV     head of lib/concert.lua, no shows; then count, and for each request: payment or refund, what the gateway did: captured, voided,
--          returned or refused
-- OUTCOMES
--   { 'settled' }                               retry: same answer
--   { 'kept' }                                  retry: no    something else was decided, or nothing yet
--   { 'internal', message }                     retry: no
-- INCLUDES text arguments clock journal map log concert card
-- COST     O(1) a request; touches 50 + 6 a request

if log.lost then
  return lost_reply(log)
end

local DECIDED = { captured = 'capture', voided = 'void', returned = 'refund', refused = 'refund' }

local function note_refusal(card)
  if card.state ~= 'refused' then
    write_card(card, 'refused')
    emit(log, card_event('refused', card))
  end
  return { 'settled' }
end

local function decide_settle(request)
  local card = read_card(request.payment)
  if not card then
    return { 'settled' }
  end
  -- What it has refused it may give back after all.
  local decided = card.state == 'refused' and 'refund' or card.state
  if decided ~= DECIDED[request.done] then
    return { 'kept' }
  end
  if request.done == 'refused' then
    return note_refusal(card)
  end
  put(cards, card.refund or card.payment, false)
  emit(log, card_event(request.done, card))
  return { 'settled' }
end

local requests, payments = {}, {}
for i = 1, argument_number() do
  requests[i] = { payment = argument(), done = argument() }
  payments[i] = requests[i].payment
end
fetch(cards, payments)

local outcomes = attempt_all(decide_settle, requests)
commit()
return reply(outcomes)
