-- policy: the policy of the concert changes as a whole, if nobody else changed it meanwhile; it applies from the next call on.
--
-- FLAGS    none
-- KEYS     the concert block: writes meta, policy, log
-- ARGV     head of lib/concert.lua, no shows; then the version it was made from, JSON of the policy, and field, value, … of the hash
-- OUTCOMES
--   { 'stale_policy', version }       retry: from that version
--   { 'changed', version }
-- INCLUDES text arguments clock journal map log concert
-- COST     O(1); touches 100

if log.lost then
  return lost_reply(log)
end

local base, json = argument_number(), argument()
-- HSET would find a field without a value only when the entry is written and the old policy gone.
assert((#ARGV - argument_at) % 2 == 0, 'field without a value')
if base ~= count('policy') then
  return reply({ { 'stale_policy', count('policy') } })
end
set_count('policy', base + 1)
emit(log, 'policy ' .. int(base + 1) .. ' ' .. prefixed(json))
commit()
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'json', json, unpack(ARGV, argument_at + 1))
return reply({ { 'changed', base + 1 } })
