-- The last guard: the primary key refuses a seat booked twice, whatever else went wrong.
create table booked_seats (
    show_id int unsigned not null,
    seat_index int unsigned not null,
    concert int unsigned not null,
    reservation char(20) not null,
    primary key (show_id, seat_index)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
