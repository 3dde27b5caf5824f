-- When a show was cancelled and why; null while it is not.
alter table shows
    add column cancelled_at bigint null,
    add column cancel_reason varchar(200) null
