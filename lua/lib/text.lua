-- text: how numbers and texts stand in records and entries (formats 1 and 2).

-- By number: most numbers of a batch are the same few (its time, its ends, a price).
local texts = {}

-- An integer without exponent or point. `..` and tostring keep 14 digits only; money has up to 16. `%d` is exact below 2^53 and
-- takes a third of the time of `%.0f`.
local function int(number)
  local text = texts[number]
  if not text then
    text = string.format('%d', number)
    texts[number] = text
  end
  return text
end

-- `<bytes>:<text>`: user ids may hold any separator.
local function prefixed(text)
  return #text .. ':' .. text
end
