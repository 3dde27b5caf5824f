-- How far each webhook has been told each log. A log without a row began after the webhook: it is told from its first entry.
create table webhook_offsets (
    webhook int unsigned not null,
    log varchar(12) not null,
    -- The last entry told whole, and how many events of the next one.
    number bigint unsigned not null,
    events int unsigned not null,
    -- Tries in a row that failed, when the next one may be, and what was wrong with the last.
    failures int unsigned not null,
    next_at bigint not null,
    error varchar(255) not null,
    primary key (webhook, log)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
