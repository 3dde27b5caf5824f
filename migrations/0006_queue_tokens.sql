-- A row a place in line. Users are bytes here and everywhere: a text column would take "a" and "a " for the same.
create table queue_tokens (
    concert int unsigned not null,
    seq bigint unsigned not null,
    user varbinary(64) not null,
    issued_at bigint not null,
    -- The three are null until the place is admitted. claim_by 0: it need not claim.
    admitted_at bigint null,
    active_until bigint null,
    claim_by bigint null,
    -- Null until its owner showed that he is there.
    claimed_at bigint null,
    -- Null while the place lives.
    ended_at bigint null,
    -- left, lapsed, unclaimed, paid or reserved; null while the place lives.
    end_reason varchar(10) null,
    primary key (concert, seq)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
