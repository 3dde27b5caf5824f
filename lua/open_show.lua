-- open_show: a show goes on sale with all seats available, or grows by seats at its end; the same again changes nothing.
--
-- FLAGS    none
-- KEYS     the concert block and three keys for the show: writes meta, log, seats
-- ARGV     head of lib/concert.lua with one show; then show, seats in all, catalog version
-- OUTCOMES in order of precedence
--   { 'too_few_seats', seats }        retry: no    a seat's index is never taken back
--   { 'opened' }                      retry: same answer
-- INCLUDES text arguments clock journal map log concert
-- COST     O(seats), once a show; touches 100 + 1 a seat

if log.lost then
  return lost_reply(log)
end

local id = argument()
local show, wanted, catalog = shows[id], argument_number(), argument_number()
local known = redis.call('STRLEN', show.seats.key)
if wanted < known then
  return reply({ { 'too_few_seats', known } })
end
if wanted > known or catalog > count('catalog') then
  set_count('shows', count('shows') + (known == 0 and 1 or 0))
  set_count('sellable', count('sellable') + wanted - known)
  -- An entry says absolute state: the version in force, even if this show comes with an older one.
  catalog = math.max(catalog, count('catalog'))
  set_count('catalog', catalog)
  touch(show)
  emit(log, table.concat({ 'show', id, int(wanted), int(catalog) }, ' '))
  commit()
  redis.call('APPEND', show.seats.key, string.rep('0', wanted - known))
end
return reply({ { 'opened' } })
