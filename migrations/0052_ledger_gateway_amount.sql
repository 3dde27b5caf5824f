-- What a gateway moved, minor units; null where money of a balance moved. The user's amount is 0 then.
alter table ledger_transactions add column gateway_amount bigint null
