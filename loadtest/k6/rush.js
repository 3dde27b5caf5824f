// rush: everybody comes within ten seconds, more than may be let in.
//
// Proves that everybody gets a place, that nobody's place falls back, and that all are let in as the policy says.
// USERS in all, RUN_SECONDS for their joins, PATIENCE_SECONDS to be let in; CONCERT.

import { check, sleep } from 'k6';
import { Counter, Trend } from 'k6/metrics';
import { newUser, send, sendAll, signIn } from './lib/client.js';
import * as queue from './lib/queue.js';
import { arrivals, latency, number, patienceSeconds, promises, sale as saleOf, shared } from './lib/settings.js';
import { summaryOf } from './lib/summary.js';

const { concert } = saleOf(2);
const users = number('USERS', 3000);
const seconds = number('RUN_SECONDS', 10);
// A virtual user is a bus of so many people: three thousand of k6's own would need more memory than the server.
const GROUP = 20;
// A group whose next poll is so close goes with those that are due, milliseconds.
const TOGETHER = 50;

const secondsInLine = new Trend('seconds_in_line');
const placesGiven = new Counter('places_given');

const groups = Math.ceil(users / GROUP);

export const options = {
  ...shared,
  scenarios: {
    rush: arrivals(groups, seconds, 1, {
      timeUnit: `${seconds}s`,
      preAllocatedVUs: groups,
      maxVUs: groups,
    }),
  },
  thresholds: {
    ...promises(0),
    ...queue.thresholds,
    ...queue.letsAllIn,
    ...latency(queue.names.join, queue.names.poll, queue.names.leave),
    places_given: [`count>=${users}`],
  },
};

export default function rush() {
  queue.begin();
  const begun = Date.now();
  const buyers = Array.from({ length: GROUP }, (_, at) => signIn(newUser(`-${at}`)));
  const joined = sendAll(buyers.map((buyer) => queue.joining(buyer, concert)));
  check(joined, { 'everybody gets a place': (all) => all.every(({ status }) => status === 201) });
  let line = buyers.map((buyer, at) => ({ buyer, joined: joined[at] })).filter(({ joined }) => joined.status === 201);
  line = line.map((person) => ({ buyer: person.buyer, place: queue.placeOf(person.joined) }));
  placesGiven.add(line.length);

  const until = begun + patienceSeconds * 1000;
  while (line.length > 0) {
    for (const { buyer, place } of line.filter(({ place }) => place.isActive)) {
      queue.letIn.add(true);
      secondsInLine.add((Date.now() - begun) / 1000);
      send(queue.leaving(buyer, place));
    }
    line = line.filter(({ place }) => !place.isActive);
    if (Date.now() > until) break;
    pollDue(line);
  }
  line.forEach(() => queue.letIn.add(false));
}

// Waits for whoever is the next to poll, and polls with all that are due by then.
function pollDue(line) {
  if (line.length === 0) return;
  const next = Math.min(...line.map(({ place }) => place.pollAt));
  sleep(Math.max(0, next - Date.now()) / 1000);
  const due = line.filter(({ place }) => place.pollAt <= Date.now() + TOGETHER);
  const polled = sendAll(due.map(({ place }) => queue.polling(place)));
  due.forEach((person, at) => {
    if (polled[at].status === 200) person.place = queue.placeOf(polled[at], person.place);
    else person.place = { ...person.place, pollAt: Date.now() + 1000 };
  });
}

export const handleSummary = summaryOf('rush');
