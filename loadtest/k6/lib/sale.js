// Seats and holds: read the map, take what is free, look at a reservation, give it back.

import { call, send } from './client.js';

const SEATS = '/v1/shows/{id}/seats';
const HOLD = '/v1/reservations';
const RESERVATION = '/v1/reservations/{id}';

export const names = {
  seats: `GET ${SEATS}`,
  hold: `POST ${HOLD}`,
  reservation: `GET ${RESERVATION}`,
  release: `DELETE ${RESERVATION}`,
};

// A seat map in one of the contract's forms: full, status, layout, or what changed since a version.
export function reading(show, query, { headers = {}, expected = [200] } = {}) {
  return call('GET', SEATS, { path: `/v1/shows/${show}/seats?${query}`, headers, expected });
}

// The seats of a show, for setup(): k6 copies what setup gives to every virtual user, so rows are told, not seats.
export function readRows(show) {
  const answer = send(reading(show, 'view=layout'));
  if (answer.status !== 200) throw new Error(`show ${show} can't be read: ${answer.status} ${answer.code}`);
  const rows = [];
  let last = null;
  answer.body.seats.forEach(({ seat, number, price }, index) => {
    const head = seat.slice(0, seat.length - String(number).length);
    const label = `${head}${number}` === seat ? null : seat;
    const continues =
      last && !label && !last.label && last.head === head && last.price === price && last.from + index - last.first === number;
    if (!continues) {
      last = { first: index, head, from: number, label, price };
      rows.push(last);
    }
  });
  return { show, rows, seats: answer.body.seats.length };
}

// Label and price of the seat at an index.
export function seatAt(layout, index) {
  let low = 0;
  let high = layout.rows.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (layout.rows[middle].first <= index) low = middle;
    else high = middle - 1;
  }
  const row = layout.rows[low];
  return { label: row.label || `${row.head}${row.from + index - row.first}`, price: row.price };
}

export function readStatus(show) {
  const answer = send(reading(show, 'view=status'));
  return answer.status === 200 ? answer.body.status : '';
}

// Up to `count` neighbours that are free, from a random point of the map on; nothing if the map has no free seat.
export function freeSeats(layout, status, count) {
  const start = Math.floor(Math.random() * status.length);
  let at = status.indexOf('0', start);
  if (at < 0) at = status.indexOf('0');
  if (at < 0) return [];
  const seats = [];
  while (seats.length < count && status[at + seats.length] === '0') seats.push(seatAt(layout, at + seats.length));
  return seats;
}

export function holding(buyer, place, show, labels, key, alsoExpected = []) {
  return call('POST', HOLD, {
    bearer: buyer.token,
    queueToken: place.token,
    key,
    body: { showId: show, seats: labels },
    expected: [201, 'seat_unavailable', ...alsoExpected],
  });
}

// Holds free seats of the show, looking again when somebody was faster; null if `tries` were in vain.
export function hold(buyer, place, layout, count, tries = 10) {
  for (let tried = 1; tried <= tries; tried += 1) {
    const seats = freeSeats(layout, readStatus(layout.show), count);
    if (seats.length === 0) return null;
    const labels = seats.map((seat) => seat.label);
    const answer = send(holding(buyer, place, layout.show, labels, `hold-${tried}`));
    if (answer.status === 201) return answer.body;
    if (answer.code !== 'seat_unavailable') return null;
  }
  return null;
}

export function look(buyer, reservationId) {
  const path = `/v1/reservations/${reservationId}`;
  return send(call('GET', RESERVATION, { path, bearer: buyer.token, expected: [200] }));
}

export function release(buyer, reservationId) {
  const path = `/v1/reservations/${reservationId}`;
  return send(call('DELETE', RESERVATION, { path, bearer: buyer.token, expected: [204] }));
}
