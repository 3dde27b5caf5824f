-- A concert as its organiser describes it, with its policy as the concert's log has it.
-- Policies are text: MySQL rewrites what stands in a json column, MariaDB does not.
create table concerts (
    -- Ids above 1,000,000 are given here; those below are the catalog files'.
    concert int unsigned not null auto_increment,
    org varchar(64) not null,
    title varchar(255) not null,
    artist varchar(255) not null,
    venue varchar(255) not null,
    policy text not null,
    -- Version of the last `policy` event applied; 0: as created, the log has none yet.
    policy_version bigint unsigned not null,
    -- Catalog version: grows with every change of the concert, its shows, seats or prices.
    version bigint unsigned not null,
    -- Digest of what the catalog file said when its import left nothing to do. Null: never imported, or an import
    -- waits for its policy to come back through the log.
    source char(64) null,
    primary key (concert)
) engine = innodb default character set utf8mb4 collate utf8mb4_bin auto_increment = 1000001
