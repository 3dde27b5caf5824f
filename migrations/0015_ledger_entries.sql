-- Double entry for whoever reads: two legs for each transaction, 0: what the amount was taken from; 1: what it went to.
-- account is user, cash or concert; owner the user, the concert's number, or empty for cash; balance null but for users.
create view ledger_entries as
select log, number, ordinal, 0 as leg,
    if(kind = 'charged', 'cash', 'user') as account,
    if(kind = 'charged', cast('' as binary), user) as owner,
    if(kind = 'charged', -amount, amount) as amount,
    if(kind = 'charged', null, balance) as balance
from ledger_transactions
union all
select log, number, ordinal, 1,
    if(kind = 'charged', 'user', 'concert'),
    if(kind = 'charged', user, cast(concert as binary)),
    if(kind = 'charged', amount, -amount),
    if(kind = 'charged', balance, null)
from ledger_transactions
