-- Seats that are not for sale now.
create table blocked_seats (
    show_id int unsigned not null,
    seat_index int unsigned not null,
    concert int unsigned not null,
    primary key (show_id, seat_index)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
