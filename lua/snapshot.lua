-- snapshot: one page of a concert's state, with the number of the last entry it knows; changes nothing.
--
-- FLAGS    no-writes
-- KEYS     the concert block and three keys for the show of a seats page: reads all
-- ARGV     head of lib/concert.lua; then kind, cursor, and for `seats` the show
-- OUTCOMES a page; a view follows the log from the number of its first page on, and is whole at the number of its last
--   { 'head', { meta as field, value, … }, JSON of the policy }
--   { 'queue', seq, … }               cursor: seq to go on behind; the end is an empty page
--   { 'places', next cursor ('0': the end), user, record, … }
--   { 'seats', bytes }                cursor: first index; the end is an empty page
-- INCLUDES text arguments clock journal map log concert
-- COST     O(log of the line), at most 500 elements

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
  return { 'seats', redis.call('GETRANGE', shows[argument()].seats.key, first, first + PAGE_MAX - 1) }
end

return reply({ pages[argument()](argument()) })
