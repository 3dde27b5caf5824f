-- snapshot: one page of a concert's state, with the number of the last entry it knows; changes nothing.
--
-- FLAGS    no-writes
-- KEYS     the concert block and three keys for the show of a page about one: reads all but log and requests
-- ARGV     head of lib/concert.lua; then kind, cursor, and for `seats`, `holder` and `owned` the show, for `requests` a pattern
-- OUTCOMES a page; a view follows the log from the number of its first page on, and is whole at the number of its last
--   { 'head', { meta as field, value, … }, JSON of the policy }
--   { 'queue', seq, … }               cursor: seq to go on behind; the end is an empty page
--   { 'places', next cursor ('0': the end), user, record, … }
--   { 'seats', bytes, seats in all }  cursor: first index; the end is an empty page
--   { 'requests', next cursor ('0': the end), request, … }   those that the pattern (as of KEYS) fits
--   { index, next cursor ('0': the end), elements in all, field, value, … }   index: line active unclaimed expiry ended place pending cards res,
--                                     and of the show holder owned; `res` counts those that have not ended
-- INCLUDES text arguments clock journal map log concert
-- COST     O(log of the line), at most 500 elements; touches 2,100 + 2 a show

if log.lost then
  return lost_reply(log)
end

local PAGE_MAX = 500

local pages = {}

function pages.head()
  return { 'head', redis.call('HGETALL', KEYS[1]), redis.call('HGET', KEYS[2], 'json') }
end

function pages.queue(cursor)
  local found = redis.call('ZRANGEBYSCORE', queue.key, '(' .. cursor, '+inf', 'WITHSCORES', 'LIMIT', 0, PAGE_MAX)
  local page = { 'queue' }
  for i = 2, #found, 2 do
    page[#page + 1] = found[i]
  end
  return page
end

function pages.places(cursor)
  local found = redis.call('HSCAN', place.key, cursor, 'COUNT', PAGE_MAX)
  return { 'places', found[1], unpack(found[2]) }
end

function pages.seats(cursor)
  local first = tonumber(cursor)
  local key = shows[argument()].seats.key
  return { 'seats', redis.call('GETRANGE', key, first, first + PAGE_MAX - 1), redis.call('STRLEN', key) }
end

function pages.requests(cursor)
  local found = redis.call('HSCAN', idem.result.key, cursor, 'MATCH', argument(), 'COUNT', PAGE_MAX)
  local page = { 'requests', found[1] }
  for i = 1, #found[2], 2 do
    page[#page + 1] = found[2][i]
  end
  return page
end

-- An index as it lies in Redis, element by element, for the audit.
local function scan_page(kind, target, cursor, total)
  local is_hash = target.kind == 'hash'
  local found = redis.call(is_hash and 'HSCAN' or 'ZSCAN', target.key, cursor, 'COUNT', PAGE_MAX)
  return { kind, found[1], total or redis.call(is_hash and 'HLEN' or 'ZCARD', target.key), unpack(found[2]) }
end

local indexes = {
  line = queue, active = active, unclaimed = unclaimed, expiry = expiry, ended = ended, place = place, pending = pending,
  cards = cards,
}
for kind, target in pairs(indexes) do
  pages[kind] = function(cursor)
    return scan_page(kind, target, cursor)
  end
end

-- Ended ones may be forgotten without an entry, together with their `ended`: only the others can be counted by the log.
function pages.res(cursor)
  local live = redis.call('HLEN', reservations.key) - redis.call('ZCARD', ended.key)
  return scan_page('res', reservations, cursor, live)
end

function pages.holder(cursor)
  return scan_page('holder', shows[argument()].holder, cursor)
end

function pages.owned(cursor)
  return scan_page('owned', shows[argument()].owned, cursor)
end

return reply({ pages[argument()](argument()) })
