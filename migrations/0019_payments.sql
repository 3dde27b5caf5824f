-- The payment of each reservation that has one.
create view payments as
select concert, reservation, payment, user, amount, balance, paid_at from reservations where payment is not null
