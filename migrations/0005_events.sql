-- Every log entry as it was written: histories and request ids are read from here, and so is the log by whoever
-- has fallen behind Redis.
create table events (
    log varchar(12) not null,
    number bigint unsigned not null,
    mark char(16) not null,
    at bigint not null,
    body mediumblob not null,
    primary key (log, number)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
