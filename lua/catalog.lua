-- catalog: announces that MySQL holds a newer catalog of the concert; holds priced with an older one are refused from here on.
--
-- FLAGS    none
-- KEYS     the concert block: writes meta, log
-- ARGV     head of lib/concert.lua, no shows; then catalog version
-- OUTCOMES
--   { 'announced' }                   retry: same answer
-- INCLUDES text arguments clock journal map log concert
-- COST     O(1); touches 80

if log.lost then
  return lost_reply(log)
end

local catalog = argument_number()
if catalog > count('catalog') then
  set_count('catalog', catalog)
  emit(log, 'catalog ' .. int(catalog))
  commit()
end
return reply({ { 'announced' } })
