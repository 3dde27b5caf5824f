-- A row a reservation, as it stands at the log's offset.
create table reservations (
    concert int unsigned not null,
    reservation char(20) not null,
    show_id int unsigned not null,
    user varbinary(64) not null,
    -- pending, confirmed, expired, cancelled or refunded. A pending one past its end counts for nobody.
    status varchar(10) not null,
    amount bigint not null,
    -- index:price,index:price in the order asked.
    seats text not null,
    created_at bigint not null,
    end_at bigint not null,
    -- When it was given back or expired; null while pending and once confirmed.
    ended_at bigint null,
    -- Null until confirmed.
    payment char(20) null,
    -- Numbers of the log entries that changed it, separated by a comma: its history, to be read from events.
    entries text not null,
    primary key (concert, reservation),
    -- A user's own reservations, newest first.
    key reservations_of_user (user, created_at, concert, reservation)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
