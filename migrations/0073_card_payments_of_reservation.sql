-- What a reservation's owner is called changes here, too (0010, 0015): one look for each reservation, not one through the concert.
alter table card_payments add key of_reservation (concert, reservation)
