update reservations r join payments p using (concert, reservation, payment)
set r.balance = p.balance, r.paid_at = p.paid_at
