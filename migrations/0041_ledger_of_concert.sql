-- Reports and exports read the money of one concert; without this each would read everybody's.
alter table ledger_transactions add key ledger_of_concert (concert, log, number, ordinal)
