-- The payment of each reservation that has one: amount is what was paid, refunded what of it went back.
create or replace view payments as
select concert, reservation, payment, user, amount, balance, paid_at, status, coalesce(refunded_amount, 0) as refunded
from reservations where payment is not null
