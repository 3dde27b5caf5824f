-- cancel: nothing of the show is held or paid any more, from this call on; what it still has is cleared step by step (clear).
--
-- FLAGS    allow-oom: what follows gives back
-- KEYS     the concert block and three keys for the show: writes meta, log
-- ARGV     head of lib/concert.lua with one show; then show, reason
-- OUTCOMES in order of precedence
--   { 'sales_stopped' }               retry: later
--   { 'cancelled' }                   retry: same answer    the first reason stays
-- INCLUDES text arguments clock journal map log concert
-- COST     O(1); touches 100

if log.lost then
  return lost_reply(log)
end

local show, reason = argument(), argument()
if get(log.meta, 'stopped') then
  return reply({ { 'sales_stopped' } })
end
if not is_cancelled(show) then
  put(log.meta, 'cancelled', (get(log.meta, 'cancelled') or ' ') .. show .. ' ')
  put(log.meta, 'x:' .. show, int(now) .. ' ' .. reason)
  emit(log, 'cancelled ' .. show .. ' ' .. prefixed(reason))
  commit()
end
return reply({ { 'cancelled' } })
