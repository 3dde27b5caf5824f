alter table reservations
    -- The user's balance after the payment, minor units, and when it was made; null until confirmed.
    add column balance bigint null,
    add column paid_at bigint null
