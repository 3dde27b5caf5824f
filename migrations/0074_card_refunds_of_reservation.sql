alter table card_refunds add key of_reservation (concert, reservation)
