// abandon: most hold seats and walk off.
//
// Proves that a hold ends by itself at its time and can't be paid any more, that its seats are sold again (there are far fewer than
// buyers), and that whoever pays in time gets them. The concert's policy must have a short holdSeconds.
// RATE buyers a second, RUN_SECONDS, PAY_ONE_IN; CONCERT and SHOW.

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import { Counter, Rate } from 'k6/metrics';
import { signIn } from './lib/client.js';
import * as money from './lib/money.js';
import * as queue from './lib/queue.js';
import * as sale from './lib/sale.js';
import { arrivals, latency, number, promises, sale as saleOf, shared } from './lib/settings.js';
import { summaryOf } from './lib/summary.js';

const { concert, show } = saleOf(6);
const rate = number('RATE', 30);
const payOneIn = number('PAY_ONE_IN', 20);
// The clocks of k6 and the server may differ by so much, milliseconds.
const SKEW = 250;

const expired = new Rate('abandoned_expired');
const paidInTime = new Rate('paid_in_time');
const holds = new Counter('holds');
const nothingFree = new Counter('nothing_free');

export const options = {
  ...shared,
  scenarios: { abandon: arrivals(rate, number('RUN_SECONDS', 20), 8) },
  thresholds: {
    ...promises(rate),
    ...queue.thresholds,
    ...queue.letsAllIn,
    ...latency(sale.names.hold, sale.names.reservation, money.names.pay),
    abandoned_expired: ['rate==1'],
    paid_in_time: ['rate==1'],
    // More than the show has: seats came back and were held again.
    holds: [`count>${number('HOLDS_MIN', 200)}`],
  },
};

export function setup() {
  return sale.readRows(show);
}

export default function abandon(layout) {
  queue.begin();
  const buyer = signIn();
  const place = queue.enter(buyer, concert);
  if (!place) return;
  const reservation = sale.hold(buyer, place, layout, 1);
  if (!reservation) {
    nothingFree.add(1);
    return;
  }
  holds.add(1);
  const charged = money.charge(buyer, reservation.amount);
  if (exec.scenario.iterationInTest % payOneIn === 0) {
    paidInTime.add(charged && money.pay(buyer, place, reservation.reservationId).status === 200);
    return;
  }
  walkOff(buyer, place, reservation);
}

function walkOff(buyer, place, reservation) {
  sleep(Math.max(0, Date.parse(reservation.expiresAt) + SKEW - Date.now()) / 1000);
  expired.add(sale.look(buyer, reservation.reservationId).body.status === 'EXPIRED');
  const late = money.pay(buyer, place, reservation.reservationId, ['invalid_reservation']);
  check(late, { 'what has expired is not for sale': ({ body }) => body && body.reason === 'expired' });
  const kept = money.balance(buyer);
  check(kept, { 'who could not pay keeps the money': ({ body }) => body && body.balance >= reservation.amount });
}

export const handleSummary = summaryOf('abandon');
