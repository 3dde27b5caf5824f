-- A row a card payment, as it stands at the log's offset. One that paid stands in payments, too.
create table card_payments (
    concert int unsigned not null,
    payment char(20) character set ascii collate ascii_bin not null,
    reservation char(20) character set ascii collate ascii_bin not null,
    show_id int unsigned not null,
    user varbinary(64) not null,
    amount bigint not null,
    -- authorising, capture, void (decided, the gateway is being told), captured or voided.
    state char(11) character set ascii collate ascii_bin not null,
    -- Why it is voided: declined, expired, cancelled or paid; null unless it is.
    reason char(9) character set ascii collate ascii_bin null,
    begun_at bigint not null,
    changed_at bigint not null,
    primary key (concert, payment)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin row_format = redundant
