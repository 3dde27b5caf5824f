-- The seat map of a show. An index is given once: rows are added, never removed, only prices change.
create table seats (
    show_id int unsigned not null,
    seat_index int unsigned not null,
    label varchar(64) not null,
    -- Place in shows.sections, from 0.
    section smallint unsigned not null,
    -- Both null where the section named its labels.
    seat_row int unsigned null,
    seat_number int unsigned null,
    -- Minor units.
    price bigint not null,
    primary key (show_id, seat_index)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
