-- When the next event of a log first failed to be told, as milliseconds of the unix clock; 0: it has not. It is given up once
-- it has failed for long enough, however old it is.
alter table webhook_offsets add column failing_since bigint not null default 0
