-- The same for what a payment, a release or a lapse changes.
alter table reservations
    modify reservation char(20) character set ascii collate ascii_bin not null,
    modify status char(9) character set ascii collate ascii_bin not null,
    modify payment char(20) character set ascii collate ascii_bin null,
    -- Number of the entry that ended or paid it; null while pending. entries has those before it.
    add column ended_in bigint unsigned null,
    row_format = redundant
