-- text: how numbers and texts stand in records and entries (formats 1 and 2).

-- An integer without exponent or point. `..` and tostring keep 14 digits only; money has up to 16.
local function int(number)
  return string.format('%.0f', number)
end

-- `<bytes>:<text>`: user ids may hold any separator.
local function prefixed(text)
  return #text .. ':' .. text
end
