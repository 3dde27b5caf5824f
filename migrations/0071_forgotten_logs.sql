-- How far the logs are to be rewritten while a user is being forgotten: what comes behind is a new user's of the same name.
create table forgotten_logs (
    pseudonym varbinary(64) not null,
    log varchar(12) not null,
    -- The last entry that may name him, and the last sequence number that his concert had given then.
    number bigint unsigned not null,
    seq bigint unsigned not null,
    primary key (pseudonym, log)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
