drop table payments
