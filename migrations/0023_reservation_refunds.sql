-- What went back of a payment; all null until something has. Of variable length: refunds are few, and those of a sale change no row
-- that a hold or a payment finds.
alter table reservations
    -- Minor units, of all refunds; amount stays what was paid.
    add column refunded_amount bigint null,
    -- index:price,index:price; seats keeps them too.
    add column refunded_seats text null,
    -- Numbers of the log entries that refunded, separated by a comma.
    add column refunded_in text null
