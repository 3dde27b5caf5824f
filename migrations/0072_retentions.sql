-- A row a log whose retention was over, or is about to be applied (0015).
create table retentions (
    log varchar(12) not null,
    -- What the new names are made with; null when all is done, and nobody knows any more whom they stand for.
    name_key varbinary(32) null,
    begun_at bigint not null,
    -- The last entry, and the last sequence number given, when nothing was live any more; null until then.
    since bigint unsigned null,
    seq bigint unsigned null,
    -- The last entry to be rewritten, once Redis knows nobody by his old name; null until then. An audit waits meanwhile.
    upto bigint unsigned null,
    done_at bigint null,
    primary key (log)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin
