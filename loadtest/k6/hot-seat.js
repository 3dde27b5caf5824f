// hot-seat: all want the same few seats.
//
// Proves that each is sold to exactly one, that everybody else hears so at once, and that losing costs no more than winning.
// RATE buyers a second, RUN_SECONDS, HOT seats; CONCERT and SHOW.

import { check } from 'k6';
import { Counter } from 'k6/metrics';
import { send, signIn } from './lib/client.js';
import * as money from './lib/money.js';
import * as queue from './lib/queue.js';
import * as sale from './lib/sale.js';
import { arrivals, latency, number, promises, sale as saleOf, shared } from './lib/settings.js';
import { summaryOf } from './lib/summary.js';

const { concert, show } = saleOf(4);
const rate = number('RATE', 100);
const hot = number('HOT', 10);

const seatsWon = new Counter('seats_won');
const seatsLost = new Counter('seats_lost');

export const options = {
  ...shared,
  scenarios: { grab: arrivals(rate, number('RUN_SECONDS', 15), 1) },
  thresholds: {
    ...promises(rate),
    ...queue.thresholds,
    ...queue.letsAllIn,
    ...latency(queue.names.join, sale.names.hold, money.names.pay),
    seats_won: [`count==${hot}`],
    seats_lost: ['count>0'],
  },
};

// The first seats that are free, so that a second run on the same sale has seats of its own to fight for.
export function setup() {
  const layout = sale.readRows(show);
  const status = sale.readStatus(show);
  const seats = [];
  for (let at = status.indexOf('0'); at >= 0 && seats.length < hot; at = status.indexOf('0', at + 1)) {
    seats.push(sale.seatAt(layout, at));
  }
  if (seats.length < hot) throw new Error(`show ${show} has only ${seats.length} free seats`);
  return seats;
}

export default function grab(seats) {
  queue.begin();
  const buyer = signIn();
  const place = queue.enter(buyer, concert);
  if (!place) return;
  const seat = seats[Math.floor(Math.random() * seats.length)];
  const held = send(sale.holding(buyer, place, show, [seat.label], 'hold-1'));
  if (held.code === 'seat_unavailable') {
    seatsLost.add(1);
    check(held.body, { 'the answer names the seat': ({ seats }) => seats.length === 1 && seats[0] === seat.label });
    send(queue.leaving(buyer, place));
    return;
  }
  if (held.status !== 201) return;
  seatsWon.add(1);
  const isCharged = money.charge(buyer, held.body.amount);
  const paid = isCharged && money.pay(buyer, place, held.body.reservationId);
  check(paid, { 'whoever has the seat can pay for it': ({ status }) => status === 200 });
}

export const handleSummary = summaryOf('hot-seat');
