// One buyer's HTTP client: signs in, sends, and judges each answer by what the contract lets the caller expect.
//
// An answer that is named nowhere counts as `unexpected_answers`, whatever its status; a 409 or 503 that a scenario is
// about does not. Ids never stand in metric names: each call is named by its route.

import crypto from 'k6/crypto';
import encoding from 'k6/encoding';
import exec from 'k6/execution';
import http from 'k6/http';
import { sleep } from 'k6';
import { Counter } from 'k6/metrics';
import { baseUrl, identityKey } from './settings.js';

const unexpectedAnswers = new Counter('unexpected_answers');
const refusedForLoad = new Counter('refused_for_load');
const unknownOutcomes = new Counter('unknown_outcomes');

const TOKEN_SECONDS = 3600;
// How often a buyer asks again when told that nothing has happened (503) or that nobody knows (504).
const ASKS_MAX = 5;
// What a scenario prints of unexpected answers: enough to see what is wrong, not a log of a broken run.
const REPORTED_MAX = 3;
const born = Date.now().toString(36);
let reported = 0;

const base64 = (text) => encoding.b64encode(text, 'rawurl');

// A user that no other iteration of this or another run is.
export function newUser(suffix = '') {
  return `k6-${born}-${exec.vu.idInTest}-${exec.vu.iterationInInstance}${suffix}`;
}

// Somebody who is signed in: the user's id and identity token.
export function signIn(user = newUser()) {
  const header = base64(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid: identityKey.kid }));
  const exp = Math.floor(Date.now() / 1000) + TOKEN_SECONDS;
  const signed = `${header}.${base64(JSON.stringify({ sub: user, exp }))}`;
  return { user, token: `${signed}.${crypto.hmac('sha256', identityKey.secret, signed, 'base64rawurl')}` };
}

// A call that has not been sent. `expected` are statuses, and codes of problems, that the caller knows what to do with.
export function call(method, route, { path = route, bearer, queueToken, key, body, headers = {}, expected }) {
  const all = { ...headers };
  if (bearer) all.Authorization = `Bearer ${bearer}`;
  if (queueToken) all['Queue-Token'] = queueToken;
  if (key) all['Idempotency-Key'] = key;
  if (body) all['Content-Type'] = 'application/json';
  return {
    expected,
    request: {
      method,
      url: `${baseUrl}${path}`,
      body: body ? JSON.stringify(body) : null,
      params: {
        headers: all,
        tags: { name: `${method} ${route}` },
        timeout: '30s',
        // Judged below, by status and code; what is expected is no failed request for k6 either.
        responseCallback: http.expectedStatuses(...expected.filter(Number.isInteger), 304, 503, 504),
      },
    },
  };
}

// Sends a call; asks again, with the same key, as long as the server says that it may help.
export function send(one) {
  for (let asked = 1; ; asked += 1) {
    const { method, url, body, params } = one.request;
    const answer = read(http.request(method, url, body, params));
    const again = [503, 504].includes(answer.status) && !isExpected(one, answer) && asked < ASKS_MAX;
    if (!again) return judged(one, answer);
    count(answer);
    sleep(answer.retryAfter || 0.2);
  }
}

// Sends calls at the same moment, each once: whoever sends many at once wants to see what that does.
export function sendAll(calls) {
  const responses = http.batch(calls.map((one) => one.request));
  return calls.map((one, at) => judged(one, read(responses[at])));
}

function read(response) {
  const type = response.headers['Content-Type'] || '';
  const body = response.body && type.includes('json') ? response.json() : null;
  const code = body && response.status >= 400 ? body.code : undefined;
  const retryAfter = Number(response.headers['Retry-After'] || 0);
  return { status: response.status, code, body, retryAfter, headers: response.headers, error: response.error };
}

function isExpected(one, answer) {
  return one.expected.includes(answer.code) || (!answer.code && one.expected.includes(answer.status));
}

function count(answer) {
  if (answer.status === 503) refusedForLoad.add(1);
  if (answer.status === 504) unknownOutcomes.add(1);
}

function judged(one, answer) {
  count(answer);
  if (isExpected(one, answer)) return answer;
  unexpectedAnswers.add(1, { name: one.request.params.tags.name });
  reported += 1;
  if (reported <= REPORTED_MAX) {
    const said = answer.error || JSON.stringify(answer.body);
    console.error(`${one.request.params.tags.name} answered ${answer.status}: ${said}`);
  }
  return answer;
}
