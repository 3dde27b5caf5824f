-- The user whose money moved, what came in for him and his balance after it: both legs follow from these.
alter table ledger_transactions
    add column user varbinary(64) not null default '',
    -- Minor units, below 0 for a payment.
    add column amount bigint not null default 0,
    add column balance bigint not null default 0,
    -- A user's ledger, newest first: all of it is in one log, whose order is that of his money.
    add key ledger_of_user (user, log, number, ordinal)
