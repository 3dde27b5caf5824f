-- clock: the time of this call, ms, never before the last time its log has used.
local function clock(last)
  local time = redis.call('TIME')
  return math.max(time[1] * 1000 + math.floor(time[2] / 1000), last)
end
