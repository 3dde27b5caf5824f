-- Double entry for whoever reads: two legs for each transaction, 0: what the amount was taken from; 1: what it went to.
-- account is user, cash or concert; owner the user, the concert's number, or empty for cash; balance null but for users.
create or replace view ledger_entries as
select log, number, ordinal, 0 as leg,
    case kind when 'charged' then 'cash' when 'refunded' then 'concert' else 'user' end as account,
    case kind when 'charged' then cast('' as binary) when 'refunded' then cast(concert as binary) else user end as owner,
    if(kind = 'paid', amount, -amount) as amount,
    if(kind = 'paid', balance, null) as balance
from ledger_transactions
union all
select log, number, ordinal, 1,
    if(kind = 'paid', 'concert', 'user'),
    if(kind = 'paid', cast(concert as binary), user),
    if(kind = 'paid', -amount, amount),
    if(kind = 'paid', null, balance)
from ledger_transactions
