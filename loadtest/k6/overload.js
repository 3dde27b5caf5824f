// overload: more at the same moment than the server's bounds let in.
//
// Proves that it says so at once (503, nothing has happened, Retry-After) instead of growing slow for all, that nothing else goes wrong,
// and that it serves as before once the flood is over.
// FLOODS a second of BATCH joins at the same moment each, RUN_SECONDS, REFUSED_MIN; CONCERT. A server with its default bounds takes 20,000
// waiting joins before it refuses any: `run.sh` starts one with ONSALE__COALESCE__QUEUE_REQUESTS=16 for this scenario.

import { check } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { newUser, send, sendAll, signIn } from './lib/client.js';
import * as queue from './lib/queue.js';
import { arrivals, number, p95, promises, sale as saleOf, shared } from './lib/settings.js';
import { summaryOf } from './lib/summary.js';

const { concert } = saleOf(7);
const batch = number('BATCH', 100);
const seconds = number('RUN_SECONDS', 10);
const AFTER_SECONDS = 5;
const REFUSALS = ['overloaded', 'unavailable'];

const joined = new Counter('joined');
const refused = new Counter('refused_at_once');
const recovered = new Rate('served_after_the_flood');

export const options = {
  ...shared,
  batch,
  batchPerHost: batch,
  scenarios: {
    flood: arrivals(number('FLOODS', 10), seconds, 2, { exec: 'flood', gracefulStop: '10s' }),
    after: arrivals(number('RATE', 20), AFTER_SECONDS, 1, { exec: 'after', startTime: `${seconds + 2}s` }),
  },
  thresholds: {
    ...promises(0),
    // The flood is meant to be more than anybody keeps up with.
    dropped_iterations: ['count>=0'],
    joined: ['count>0'],
    refused_at_once: [`count>=${number('REFUSED_MIN', 1)}`],
    served_after_the_flood: ['rate==1'],
    'http_req_duration{status:503}': [`p(95)<${number('REFUSAL_P95_MS', 2000)}`],
    'http_req_duration{scenario:after}': [`p(95)<${p95}`],
  },
};

export function flood() {
  const buyers = Array.from({ length: batch }, (_, at) => signIn(newUser(`-${at}`)));
  const answers = sendAll(buyers.map((buyer) => queue.joining(buyer, concert, [...REFUSALS, 'outcome_unknown'])));
  const refusals = answers.filter(({ status }) => status === 503);
  joined.add(answers.filter(({ status }) => status === 201).length);
  refused.add(refusals.length);
  check(refusals, { 'a refusal says when to come back': (all) => all.every(({ retryAfter }) => retryAfter >= 1) });
}

export function after() {
  const answer = send(queue.joining(signIn(), concert, REFUSALS));
  recovered.add(answer.status === 201);
}

export const handleSummary = summaryOf('overload');
