// The line: join, poll when told to, leave.

import { sleep } from 'k6';
import { Counter, Rate } from 'k6/metrics';
import { call, send } from './client.js';
import { patienceSeconds } from './settings.js';

// A place in line never falls back; any at all is a broken promise.
const positionsGrown = new Counter('positions_grown');
// None of these, and the line stands still.
const positionsShrunk = new Counter('positions_shrunk');
// Of all who asked to be let in, those who were before their patience was over.
export const letIn = new Rate('let_in');

const JOIN = '/v1/queue/tokens';
const STATUS = '/v1/queue/status';

export const names = { join: `POST ${JOIN}`, poll: `GET ${STATUS}`, leave: `DELETE ${JOIN}` };
export const thresholds = { positions_grown: ['count==0'] };
export const moves = { positions_shrunk: ['count>0'] };
export const letsAllIn = { let_in: ['rate==1'] };

// So that a run without a single one still reports it.
export function begin() {
  positionsGrown.add(0);
  positionsShrunk.add(0);
}

export function joining(buyer, concert, alsoExpected = []) {
  return call('POST', JOIN, {
    bearer: buyer.token,
    body: { concertId: concert },
    expected: [200, 201, ...alsoExpected],
  });
}

export function polling(place) {
  return call('GET', STATUS, { bearer: place.token, expected: [200] });
}

export function leaving(buyer, place) {
  return call('DELETE', JOIN, { bearer: buyer.token, queueToken: place.token, expected: [204] });
}

// The place that an answer to a join, or to a poll of `before`, describes.
export function placeOf(answer, before = null) {
  const { token, status, position, pollAfterSeconds } = answer.body;
  if (before && position > before.position) positionsGrown.add(1);
  if (before && position < before.position) positionsShrunk.add(1);
  return {
    token: token || before.token,
    position,
    isActive: status === 'ACTIVE',
    pollAt: Date.now() + (pollAfterSeconds || 1) * 1000,
  };
}

// Joins, and polls as told until the place is active; null if it is not while patience lasts.
export function enter(buyer, concert) {
  const place = wait(buyer, concert);
  letIn.add(place !== null);
  return place;
}

function wait(buyer, concert) {
  const joined = send(joining(buyer, concert));
  if (![200, 201].includes(joined.status)) return null;
  const until = Date.now() + patienceSeconds * 1000;
  let place = placeOf(joined);
  while (!place.isActive) {
    if (place.pollAt > until) return null;
    sleep(Math.max(0, place.pollAt - Date.now()) / 1000);
    const polled = send(polling(place));
    if (polled.status !== 200) return null;
    place = placeOf(polled, place);
  }
  return place;
}
