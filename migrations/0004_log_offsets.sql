-- How far each log has been applied: moved by compare-and-set as the first statement of every archive transaction.
create table log_offsets (
    log varchar(12) not null,
    log_id char(16) not null,
    -- How often the log was recovered.
    epoch int unsigned not null,
    -- The last entry applied and its mark; 0 and zeros before the first.
    number bigint unsigned not null,
    mark char(16) not null,
    -- unborn, selling or recovering. Nothing is applied while recovering.
    state varchar(10) not null,
    primary key (log)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
