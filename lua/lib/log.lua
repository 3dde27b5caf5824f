-- log: one log as a batch sees it: is it the one the server knows, what is the time, what has happened.
--
-- `meta` moves with the log in the same script, so it names the last entry. The server sends the highest entry it has
-- seen; if this Redis lacks it, or has another under its number, the log was lost and nothing may be decided on it.

local LOG_FIELDS = { 'format', 'log_id', 'number', 'mark', 'time', 'trim' }

-- Those of every log, then `others`: one read of meta for both.
local function log_fields(others)
  local fields = { unpack(LOG_FIELDS) }
  for i = 1, #others do
    fields[#LOG_FIELDS + i] = others[i]
  end
  return fields
end

-- What the server has seen: from the arguments.
local function argument_seen()
  return { log_id = argument(), number = argument_number(), mark = argument(), check = argument() == '1' }
end

local function entry_mark(key, number)
  local entry = redis.call('XRANGE', key, int(number) .. '-0', int(number) .. '-0')[1]
  return entry and string.match(entry[2][2], '^%d+ (%x+) ')
end

-- A mark under the last number costs nothing to compare; an older one is looked up only when the server asks (`check`:
-- the first batch on a connection and after any error).
local function is_lost(log, seen)
  if log.log_id ~= seen.log_id or seen.number > log.number then
    return true
  end
  if seen.number == log.number then
    return seen.mark ~= log.mark
  end
  return seen.check and seen.number > log.trim and entry_mark(log.key, seen.number) ~= seen.mark
end

-- The log, with `lost` set if it is not the one that was seen. `fields` of meta (`log_fields`) are read with it.
local function open_log(meta_key, log_key, seen, fields)
  local meta = map('hash', meta_key)
  fetch(meta, fields)
  local log = {
    key = log_key,
    meta = meta,
    log_id = get(meta, 'log_id'),
    number = tonumber(get(meta, 'number') or 0),
    mark = get(meta, 'mark') or '',
    trim = tonumber(get(meta, 'trim') or 0),
    now = clock(tonumber(get(meta, 'time') or 0)),
    events = {},
  }
  if get(meta, 'format') and get(meta, 'format') ~= '1' then
    error('unknown data format ' .. get(meta, 'format'))
  end
  log.lost = is_lost(log, seen)
  return log
end

-- What a call answers, changing nothing, when its log was lost.
local function lost_reply(log)
  return { 'log_lost', log.log_id or '', log.number, log.mark }
end

local function emit(log, event)
  assign(log.events, #log.events + 1, event)
end

-- Writes the entry, before any state: what the log does not know must not be in the state.
local function append(log, mark)
  if #log.events == 0 then
    return
  end
  local head = '1 ' .. mark .. ' ' .. log.mark .. ' ' .. int(log.now) .. '\n'
  log.number = log.number + 1
  redis.call('XADD', log.key, int(log.number) .. '-0', 'e', head .. table.concat(log.events, '\n') .. '\n')
  log.mark = mark
  put(log.meta, 'number', int(log.number))
  put(log.meta, 'mark', mark)
  put(log.meta, 'time', int(log.now))
  flush(log.meta)
end
