update reservations
set ended_in = substring_index(entries, ',', -1), entries = substring_index(entries, ',', 1)
where status <> 'pending'
