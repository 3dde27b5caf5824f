-- assign: counts the assignments of a decision for throw.lua, joined behind lib/journal.lua.

local journal_assign = assign

local function assign(target, key, value)
  if assignments then
    assignments = assignments + 1
    if decisions == throw_at and assignments == throw_assignment then
      error('thrown by the test')
    end
  end
  journal_assign(target, key, value)
end
