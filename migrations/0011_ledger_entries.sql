-- A row a leg of a ledger transaction.
create table ledger_entries (
    log varchar(12) not null,
    number bigint unsigned not null,
    ordinal smallint unsigned not null,
    -- 0: what the amount was taken from; 1: what it went to.
    leg tinyint unsigned not null,
    -- user, cash or concert.
    account varchar(8) not null,
    -- Which one: the user, the concert's number, empty for cash. Apart from account: a user may be called cash.
    owner varbinary(64) not null,
    -- Minor units, above 0 for what came in.
    amount bigint not null,
    -- The user's balance after it; null for other accounts.
    balance bigint null,
    primary key (log, number, ordinal, leg),
    -- A user's ledger, newest first: all of it is in one log, whose order is that of his money.
    key ledger_of_owner (owner, account, log, number, ordinal)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
