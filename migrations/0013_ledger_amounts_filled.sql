update ledger_transactions t join ledger_entries e using (log, number, ordinal)
set t.user = e.owner, t.amount = e.amount, t.balance = e.balance
where e.account = 'user'
