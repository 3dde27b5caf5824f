// poll-storm: a long line in which everybody asks all the time.
//
// Proves that polls are answered from memory: their latency stays flat, and no place falls back while the line moves, as it must.
// WAITING people in line, RATE polls a second over all of them, RUN_SECONDS, P95_MS; CONCERT.

import { check } from 'k6';
import { newUser, send, sendAll, signIn } from './lib/client.js';
import * as queue from './lib/queue.js';
import { arrivals, latencyBelow, number, promises, sale as saleOf, shared } from './lib/settings.js';
import { summaryOf } from './lib/summary.js';

const { concert } = saleOf(3);
const rate = number('RATE', 500);
const waiting = number('WAITING', 2000);
const GROUP = 50;
// Measured 0.4 ms on two slow cores that others used too. Far beyond that, something else is asked.
const P95_MS = 100;

export const options = {
  ...shared,
  scenarios: { poll: arrivals(rate, number('RUN_SECONDS', 15), 0.4) },
  thresholds: {
    ...promises(rate),
    ...queue.thresholds,
    ...queue.moves,
    ...latencyBelow(number('P95_MS', P95_MS), queue.names.poll),
  },
};

export function setup() {
  const line = [];
  for (let made = 0; made < waiting; made += GROUP) {
    const buyers = Array.from({ length: Math.min(GROUP, waiting - made) }, (_, at) => signIn(newUser(`-${made + at}`)));
    const joined = sendAll(buyers.map((buyer) => queue.joining(buyer, concert)));
    line.push(...joined.filter(({ status }) => status === 201).map((answer) => queue.placeOf(answer)));
  }
  if (line.length < waiting) throw new Error(`only ${line.length} of ${waiting} are in line`);
  return line.map(({ token, position }) => ({ token, position }));
}

// The best position each has been told, by this virtual user.
const told = new Map();

export default function poll(line) {
  queue.begin();
  const at = Math.floor(Math.random() * line.length);
  const before = told.get(at) || line[at];
  const answer = send(queue.polling(before));
  if (answer.status !== 200) return;
  check(answer.body, { 'whoever polls waits or is active': ({ status }) => ['WAITING', 'ACTIVE'].includes(status) });
  told.set(at, queue.placeOf(answer, before));
}

export const handleSummary = summaryOf('poll-storm');
