// seat-map: many look at the map of a stadium while a few hold and release seats in it.
//
// Proves that maps come from memory: most looks cost a 304 or a few changes, the map stays whole, and what changed is seen.
// RATE looks a second, RUN_SECONDS, WRITERS holds and releases a second; CONCERT and SHOW.

import { check, sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { send, signIn } from './lib/client.js';
import * as queue from './lib/queue.js';
import * as sale from './lib/sale.js';
import { arrivals, latency, number, p95, promises, sale as saleOf, shared } from './lib/settings.js';
import { summaryOf } from './lib/summary.js';

const { concert, show } = saleOf(5);
const rate = number('RATE', 100);
const seconds = number('RUN_SECONDS', 15);
// Shares of the looks: changes since the last look, the map as a string unless unchanged; the rest whole, compressed.
const SINCE = 0.6;
const STATUS = 0.38;
const WORDS = { AVAILABLE: '0', HELD: '1', BOOKED: '2', BLOCKED: '3' };
// How long a writer keeps what he holds, seconds.
const KEEP = 0.5;

const unchanged = new Counter('maps_unchanged');
const changesRead = new Counter('changes_read');
const mapsRead = new Counter('maps_read');

export const options = {
  ...shared,
  scenarios: {
    look: arrivals(rate, seconds, 0.25, { exec: 'look' }),
    // The last third is quiet: then whoever asks again is told that nothing has changed.
    write: arrivals(number('WRITERS', 5), Math.ceil((seconds * 2) / 3), 2, { exec: 'write' }),
  },
  thresholds: {
    ...promises(rate),
    ...queue.thresholds,
    ...queue.letsAllIn,
    ...latency(sale.names.hold, sale.names.release),
    'http_req_duration{scenario:look}': [`p(95)<${p95}`],
    changes_read: ['count>0'],
    maps_unchanged: ['count>0'],
  },
};

export function setup() {
  return sale.readRows(show);
}

// What this virtual user has seen last: the newest version, and the ETag of the last whole status.
let seen = null;

export function look(layout) {
  const dice = Math.random();
  if (seen && dice < SINCE) readChanges(layout);
  else if (dice < SINCE + STATUS) readStatus(layout);
  else readWhole(layout);
}

function readStatus(layout) {
  const headers = seen ? { 'If-None-Match': seen.etag } : {};
  const answer = send(sale.reading(show, 'view=status', { headers, expected: [200, 304] }));
  if (answer.status === 304) return unchanged.add(1);
  if (answer.status !== 200) return undefined;
  mapsRead.add(1);
  check(answer.body, {
    'a map has all seats': ({ status }) => status.length === layout.seats && /^[0-3]*$/.test(status),
    'a map that changed has another version': ({ version }) => !seen || version !== seen.versionOfEtag,
  });
  const { version } = answer.body;
  seen = { version, etag: answer.headers.Etag, versionOfEtag: version };
  return undefined;
}

function readChanges(layout) {
  const answer = send(sale.reading(show, `since=${seen.version}`));
  if (answer.status !== 200) return;
  const { version, changes, seats } = answer.body;
  if (changes) {
    changesRead.add(changes.length);
    check(changes, { 'changes name seats and states': (all) => all.every(({ seat, status }) => seat && status in WORDS) });
  } else {
    check(seats, { 'a version too old gets the whole map': (all) => all.length === layout.seats });
  }
  seen = { ...seen, version };
}

function readWhole(layout) {
  const headers = { 'Accept-Encoding': 'gzip' };
  const answer = send(sale.reading(show, 'view=full', { headers }));
  if (answer.status !== 200) return;
  mapsRead.add(1);
  check(answer.body, { 'a whole map has all seats': ({ seats }) => seats.length === layout.seats });
}

export function write(layout) {
  queue.begin();
  const buyer = signIn();
  const place = queue.enter(buyer, concert);
  const reservation = place && sale.hold(buyer, place, layout, 2);
  if (!check(reservation, { 'a writer gets seats': (held) => held !== null })) return;
  sleep(KEEP);
  sale.release(buyer, reservation.reservationId);
  send(queue.leaving(buyer, place));
}

export const handleSummary = summaryOf('seat-map');
