-- journal: each request of a batch is decided alone; one that throws leaves no trace.
--
-- Redis does not roll back, so nothing is written while requests are decided: decisions go to Lua tables through
-- `assign`, which remembers what it overwrote. A request that throws is undone from that memory.

local journal, journal_size = {}, 0

local function assign(target, key, value)
  journal[journal_size + 1] = target
  journal[journal_size + 2] = key
  journal[journal_size + 3] = target[key]
  journal_size = journal_size + 3
  target[key] = value
end

local function undo()
  for i = journal_size - 2, 1, -3 do
    journal[i][journal[i + 1]] = journal[i + 2]
  end
end

-- The outcome of decide(request), or { 'internal', message } if it threw.
local function attempt(decide, request)
  journal_size = 0
  local ok, outcome = pcall(decide, request)
  if ok then
    return outcome
  end
  undo()
  return { 'internal', type(outcome) == 'table' and outcome.err or tostring(outcome) }
end

-- The outcomes of all requests, in order.
local function attempt_all(decide, requests)
  local outcomes = {}
  for i, request in ipairs(requests) do
    outcomes[i] = attempt(decide, request)
  end
  return outcomes
end
