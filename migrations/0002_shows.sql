-- One performance. (SHOW is a reserved word; elsewhere it is called show.)
create table shows (
    -- Ids above 1,000,000 are given here; those below are the catalog files'.
    show_id int unsigned not null auto_increment,
    concert int unsigned not null,
    -- Milliseconds since 1970, as all times here.
    starts_at bigint not null,
    currency char(3) not null,
    -- JSON array of the section names; seats name them by place.
    sections mediumtext not null,
    seats_total int unsigned not null,
    primary key (show_id),
    -- The shows of one concert, in the order of their ids.
    key shows_of_concert (concert, show_id)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin auto_increment = 1000001
