-- throw: one decision of a batch throws, joined in front of lib/journal.lua. `{test}:throw` says `<request> <assignment>`;
-- assignment 0: once the whole decision is staged.

local throw_at, throw_assignment =
  string.match(redis.call('GET', '{test}:throw'), '^(%d+) (%d+)$')
throw_at, throw_assignment = tonumber(throw_at), tonumber(throw_assignment)

-- Decisions so far, and the assignments of the one under way; nil outside of any, where writing must not throw.
local decisions, assignments = 0, nil

local lua_pcall = pcall

local function pcall(decide, request)
  decisions, assignments = decisions + 1, 0
  local ok, outcome = lua_pcall(function()
    local decided = decide(request)
    if decisions == throw_at and throw_assignment == 0 then
      error('thrown by the test')
    end
    return decided
  end)
  assignments = nil
  return ok, outcome
end
