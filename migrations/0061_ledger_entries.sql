-- Double entry for whoever reads: two legs for each transaction, 0: what the amount was taken from; 1: what it went to.
-- account is user, cash, gateway or concert; owner the user, the concert's number, or empty for cash and gateway; balance null but
-- for users. credited: a gateway's money comes into a balance; card_back: what a card paid goes back, gateway_amount below 0.
create or replace view ledger_entries as
select log, number, ordinal, 0 as leg,
    case kind
        when 'charged' then 'cash' when 'credited' then 'gateway' when 'refunded' then 'concert' when 'card' then 'gateway'
        when 'card_back' then 'concert' else 'user'
    end as account,
    case
        when kind in ('charged', 'credited', 'card') then cast('' as binary)
        when kind in ('refunded', 'card_back') then cast(concert as binary) else user
    end as owner,
    case kind
        when 'paid' then amount when 'card' then -gateway_amount when 'card_back' then gateway_amount else -amount
    end as amount,
    if(kind = 'paid', balance, null) as balance
from ledger_transactions
union all
select log, number, ordinal, 1,
    case kind when 'paid' then 'concert' when 'card' then 'concert' when 'card_back' then 'gateway' else 'user' end,
    case
        when kind in ('paid', 'card') then cast(concert as binary) when kind = 'card_back' then cast('' as binary) else user
    end,
    case kind when 'paid' then -amount when 'card' then gateway_amount when 'card_back' then -gateway_amount else amount end,
    if(kind in ('paid', 'card', 'card_back'), null, balance)
from ledger_transactions
