// journey: buyers come at a steady rate and each goes the whole way, join to ticket.
//
// Proves that everybody who stays gets a ticket, that a payment asked for twice is made once, and how long each step takes.
// RATE buyers a second, RUN_SECONDS, SEATS each; CONCERT and SHOW.

import { check } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate, Trend } from 'k6/metrics';
import { signIn } from './lib/client.js';
import * as money from './lib/money.js';
import * as queue from './lib/queue.js';
import * as sale from './lib/sale.js';
import { arrivals, latency, number, promises, sale as saleOf, shared } from './lib/settings.js';
import { summaryOf } from './lib/summary.js';

const { concert, show } = saleOf(1);
const rate = number('RATE', 20);
const seatsEach = number('SEATS', 2);
// One buyer in so many presses the button twice.
const REPLAY_ONE_IN = 10;

const journeysPaid = new Rate('journeys_paid');
const journeySeconds = new Trend('journey_seconds');
const seatsSold = new Counter('seats_sold');

export const options = {
  ...shared,
  scenarios: { journey: arrivals(rate, number('RUN_SECONDS', 20), 5) },
  thresholds: {
    ...promises(rate),
    ...queue.thresholds,
    ...queue.letsAllIn,
    ...latency(
      queue.names.join,
      sale.names.seats,
      sale.names.hold,
      money.names.charge,
      money.names.pay,
      sale.names.reservation,
    ),
    journeys_paid: ['rate>0.99'],
  },
};

export function setup() {
  return sale.readRows(show);
}

export default function journey(layout) {
  const begun = Date.now();
  queue.begin();
  const sold = buy(signIn(), layout);
  journeysPaid.add(sold > 0);
  if (sold === 0) return;
  seatsSold.add(sold);
  journeySeconds.add((Date.now() - begun) / 1000);
}

// Seats that the buyer has a ticket for at the end.
function buy(buyer, layout) {
  const place = queue.enter(buyer, concert);
  if (!place) return 0;
  const reservation = sale.hold(buyer, place, layout, seatsEach);
  if (!reservation || !money.charge(buyer, reservation.amount)) return 0;
  const paid = money.pay(buyer, place, reservation.reservationId);
  if (paid.status !== 200) return 0;
  if (exec.scenario.iterationInTest % REPLAY_ONE_IN === 0) payAgain(buyer, place, paid.body);
  const { body } = sale.look(buyer, reservation.reservationId);
  const hasTickets = check(body, {
    'a paid reservation is confirmed': ({ status }) => status === 'CONFIRMED',
    'each seat has a ticket': ({ tickets }) => tickets && tickets.length === reservation.seats.length,
  });
  return hasTickets ? reservation.seats.length : 0;
}

function payAgain(buyer, place, first) {
  const again = money.pay(buyer, place, first.reservationId);
  check(again, {
    'a payment repeated is the first': ({ body }) => body && body.paymentId === first.paymentId && body.balance === first.balance,
    'a payment repeated says so': ({ headers }) => headers['Idempotency-Replayed'] === 'true',
  });
}

export const handleSummary = summaryOf('journey');
