-- Which process tells for a follower: one at a time, so that no worker repeats what another one tells. It saves work and
-- nothing rests on it: whoever lost it without knowing repeats what consumers know by its id.
create table follower_leases (
    follower varchar(16) not null,
    -- Random, one for each process.
    holder char(16) not null,
    -- Until when, by the clock of MySQL.
    until datetime(3) not null,
    primary key (follower)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
