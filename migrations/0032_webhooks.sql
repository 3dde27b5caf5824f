-- Where organisers want to be told of what happens in their concerts.
create table webhooks (
    webhook int unsigned not null auto_increment,
    org varchar(64) not null,
    url varchar(2048) not null,
    -- The types told, separated by a space; empty: all.
    types varchar(1024) not null,
    -- Signs what is told. Not a hash: each signature needs it.
    secret varbinary(32) not null,
    created_at bigint not null,
    primary key (webhook),
    key org (org)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
