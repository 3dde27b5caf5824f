"""Buys a seat with the client that a generator made of the document: join, poll, seats, reserve, charge, pay.

Arguments: the server's address and an identity token. Prints the status of the payment and the seat of the ticket.
"""

import sys
import time
import uuid

from onsale_client import AuthenticatedClient
from onsale_client.api.catalog import get_seats, list_shows
from onsale_client.api.payments import charge_balance, get_balance, pay
from onsale_client.api.queue import get_queue_status, join_queue
from onsale_client.api.reservations import get_reservation, hold_seats
from onsale_client.models.charge_form import ChargeForm
from onsale_client.models.hold_form import HoldForm
from onsale_client.models.join_form import JoinForm
from onsale_client.models.pay_form import PayForm
from onsale_client.models.seat_status import SeatStatus
from onsale_client.models.standing_status import StandingStatus

PATIENCE_SECONDS = 30


def key() -> str:
    return str(uuid.uuid4())


def admitted(client: AuthenticatedClient) -> None:
    """Polls as the answers ask for, until the place is active."""
    end = time.monotonic() + PATIENCE_SECONDS
    while (place := get_queue_status.sync(client=client)).status != StandingStatus.ACTIVE:
        if time.monotonic() > end:
            sys.exit(f"still waiting: {place}")
        time.sleep(place.poll_after_seconds)


def main(address: str, token: str) -> None:
    client = AuthenticatedClient(base_url=address, token=token, raise_on_unexpected_status=True)
    show = list_shows.sync(client=client, available=True).items[0]
    place = join_queue.sync(client=client, body=JoinForm(concert_id=show.concert_id))
    client = client.with_headers({"Queue-Token": place.token})
    admitted(client)

    seats = get_seats.sync(show.show_id, client=client).seats
    free = next(seat.seat for seat in seats if seat.status == SeatStatus.AVAILABLE)
    form = HoldForm(show_id=show.show_id, seats=[free])
    held = hold_seats.sync(client=client, body=form, idempotency_key=key())

    charge = ChargeForm(amount=held.amount)
    charged = charge_balance.sync("me", client=client, body=charge, idempotency_key=key())
    form = PayForm(reservation_id=held.reservation_id)
    paid = pay.sync(client=client, body=form, idempotency_key=key())
    left = get_balance.sync("me", client=client)
    if left.balance != charged.current_balance - held.amount or left.balance != paid.balance:
        sys.exit(f"the money does not add up: {charged}, {paid}, {left}")

    bought = get_reservation.sync(held.reservation_id, client=client)
    print(paid.status, bought.tickets[0].seat)


main(*sys.argv[1:])
