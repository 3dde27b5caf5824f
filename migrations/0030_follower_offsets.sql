-- How far the followers that tell the world outside have got with each log: stored after what they told was acknowledged.
create table follower_offsets (
    -- kafka
    follower varchar(16) not null,
    log varchar(12) not null,
    -- The last entry told and its mark.
    number bigint unsigned not null,
    mark char(16) not null,
    primary key (follower, log)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
