-- A row a payment. The client's id of a payment names concert and reservation too, so the key finds it.
create table payments (
    concert int unsigned not null,
    reservation char(20) not null,
    payment char(20) not null,
    user varbinary(64) not null,
    amount bigint not null,
    -- The user's balance after it.
    balance bigint not null,
    paid_at bigint not null,
    primary key (concert, reservation, payment)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
