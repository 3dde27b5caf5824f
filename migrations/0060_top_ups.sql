-- A row a charge through the payment gateway, as it stands at the log's offset. What it brought stands in ledger_transactions, too.
create table top_ups (
    log varchar(12) character set ascii collate ascii_bin not null,
    charge char(20) character set ascii collate ascii_bin not null,
    user varbinary(64) not null,
    amount bigint not null,
    currency char(3) character set ascii collate ascii_bin not null,
    -- authorising, capture (decided, the gateway is being told), declined or expired (the same), credited or voided.
    state char(11) character set ascii collate ascii_bin not null,
    -- Why it was voided: declined, expired or refused; null unless it was.
    reason char(9) character set ascii collate ascii_bin null,
    -- The balance after it; null unless it was credited.
    balance bigint null,
    begun_at bigint not null,
    changed_at bigint not null,
    primary key (log, charge)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin row_format = redundant
