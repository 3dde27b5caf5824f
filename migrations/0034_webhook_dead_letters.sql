-- Events that a webhook was given up to be told of; the events themselves stand in `events`.
create table webhook_dead_letters (
    webhook int unsigned not null,
    log varchar(12) not null,
    number bigint unsigned not null,
    -- Which of the entry's events, from 0.
    event int unsigned not null,
    id varchar(64) not null,
    error varchar(255) not null,
    -- Whether it is to be told once more.
    due boolean not null,
    primary key (webhook, log, number, event)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
