-- Number of the log entry that made its hold longer; null: none has. At most one does.
alter table reservations add column extended_in bigint unsigned null
