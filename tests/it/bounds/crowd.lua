-- crowd: fills an opened concert with a million in line, ten thousand places, thousands of holds and old requests.
--
-- KEYS     the concert block, three keys for the show, six for each of four wallet partitions
-- ARGV     ms of now

local now = tonumber(ARGV[1])
local day = 24 * 3600 * 1000
local later = now + day

local function in_steps(last, step, write)
  for first = 1, last, step do
    local arguments = {}
    for i = first, math.min(first + step - 1, last) do
      write(arguments, i)
    end
    redis.call(unpack(arguments))
  end
end

local function fill(command, key, last, write)
  in_steps(last, 1000, function(arguments, i)
    if #arguments == 0 then
      arguments[1], arguments[2] = command, key
    end
    arguments[#arguments + 1], arguments[#arguments + 2] = write(i)
  end)
end

local function id(number)
  return string.format('%020d', number)
end

-- The line, with its numbers behind those of the places.
fill('ZADD', KEYS[4], 1000000, function(i) return 20000 + i, 'waiting' .. i end)
redis.call('HSET', KEYS[1], 'seq', 1020000)

-- Places: a third is over, a third was not claimed in time.
local function place(i)
  local stop = i % 3 == 0 and now - 1 or later
  local claim_by = i % 3 == 1 and now - 1 or 0
  return stop, claim_by
end
fill('ZADD', KEYS[5], 10000, function(i) return (place(i)), 'active' .. i end)
fill('HSET', KEYS[6], 10000, function(i)
  local stop, claim_by = place(i)
  return 'active' .. i, string.format('%d %d %.0f %.0f', i, 1000, stop, claim_by)
end)
fill('ZADD', KEYS[7], 3333, function(i) return now - 1, 'active' .. 3 * i + 1 end)

-- Holds of four seats each from seat 0 on, every other one over; below 40 seats, single ones for each of 320 buyers of eight.
local holds, singles = 5000, 2560
local first_single = 4 * holds
local function hold(i)
  local stop = i % 2 == 0 and now - 1 or later
  if i <= holds then
    local seats = {}
    for n = 0, 3 do
      seats[n + 1] = 4 * (i - 1) + n
    end
    return stop, 'holder' .. i, seats
  end
  -- All eight of the first 160 buyers are over; the others' are not.
  local buyer = math.floor((i - holds - 1) / 8) + 1
  return buyer <= 160 and now - 1 or later, 'buyer' .. buyer, { first_single + i - holds - 1 }
end
local count = holds + singles
redis.call('SETRANGE', KEYS[16], 0, string.rep('1', 4 * holds + singles))
fill('HSET', KEYS[8], count, function(i)
  local stop, user, seats = hold(i)
  for n, seat in ipairs(seats) do
    seats[n] = seat .. ':10'
  end
  return id(i), string.format('pending 12 %d 1000 %.0f 1 - %s - %s', 10 * #seats, stop, table.concat(seats, ','), user)
end)
fill('ZADD', KEYS[9], count, function(i) return (hold(i)), id(i) end)
fill('HSET', KEYS[10], holds, function(i) return 'holder' .. i, id(i) end)
fill('HSET', KEYS[10], singles / 8, function(buyer)
  local ids = {}
  for n = 1, 8 do
    ids[n] = id(holds + 8 * (buyer - 1) + n)
  end
  return 'buyer' .. buyer, table.concat(ids, ' ')
end)
fill('HSET', KEYS[17], 4 * holds, function(i) return i - 1, id(math.floor((i - 1) / 4) + 1) end)
fill('HSET', KEYS[17], singles, function(i) return first_single + i - 1, id(holds + i) end)
fill('HSET', KEYS[18], holds, function(i) return 'holder' .. i, 4 end)
fill('HSET', KEYS[18], singles / 8, function(i) return 'buyer' .. i, 8 end)

-- Ended reservations and requests whose day is over.
fill('HSET', KEYS[8], 50000, function(i)
  return id(1000000 + i), 'expired 12 10 1000 2000 1 - 49999:10 - ended' .. i
end)
fill('ZADD', KEYS[14], 50000, function(i) return 2000, id(1000000 + i) end)
local function requests(result, stop, user)
  fill('HSET', result, 200000, function(i) return '4:userhold:' .. i, 'f ' .. id(1) .. ' 1' end)
  fill('ZADD', stop, 200000, function(i) return i < 200 and 1000 or later, '4:userhold:' .. i end)
  redis.call('HSET', user, 'user', 200000)
end
requests(KEYS[11], KEYS[12], KEYS[13])
for wallet = 19, 37, 6 do
  requests(KEYS[wallet + 3], KEYS[wallet + 4], KEYS[wallet + 5])
  fill('HSET', KEYS[wallet + 2], 10000, function(i)
    return (i <= 5000 and 'holder' .. i or 'buyer' .. i - 5000), '1000000 1000'
  end)
end

-- A log of 5,000 entries.
local mark = '00000000000000ff'
for number = tonumber(redis.call('HGET', KEYS[1], 'number')) + 1, 5000 do
  redis.call('XADD', KEYS[3], number .. '-0', 'e', '1 ' .. mark .. ' ' .. mark .. ' 1000\ncatalog 1\n')
end
redis.call('HSET', KEYS[1], 'number', 5000, 'mark', mark)
return 'filled'
