-- A row an event of a wallet log but `opened`; its legs are in ledger_entries and sum to zero.
create table ledger_transactions (
    log varchar(12) not null,
    number bigint unsigned not null,
    -- Place of the event in its log entry, from 0.
    ordinal smallint unsigned not null,
    at bigint not null,
    -- charged or paid.
    kind varchar(10) not null,
    -- The charge or the payment.
    reference char(20) not null,
    -- What was paid; all null for a charge.
    concert int unsigned null,
    show_id int unsigned null,
    reservation char(20) null,
    primary key (log, number, ordinal)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
