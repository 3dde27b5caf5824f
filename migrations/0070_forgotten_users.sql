-- A row each user who was forgotten, and his pseudonym (0010).
create table forgotten_users (
    pseudonym varbinary(64) not null,
    -- His id until all of it is done; null then, and nobody knows any more whom the pseudonym stands for.
    user varbinary(64) null,
    begun_at bigint not null,
    done_at bigint null,
    primary key (pseudonym),
    unique key user (user)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
