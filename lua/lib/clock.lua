-- clock: the time of this call, ms, never before the last time its log has used.
local called_at

local function clock(last)
  if not called_at then
    local time = redis.call('TIME')
    called_at = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return math.max(called_at, last)
end
