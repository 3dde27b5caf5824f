// Charging a balance and paying with it.

import { call, send } from './client.js';

const BALANCE = '/v1/users/{id}/balance';
const PAY = '/v1/payments';
// What the server lets a buyer charge at once, unless its configuration says otherwise.
const CHARGE_MIN = 10000;
const CHARGE_MAX = 1000000;

export const names = { charge: `POST ${BALANCE}`, pay: `POST ${PAY}`, balance: `GET ${BALANCE}` };

// Charges at least `amount`, in as many charges as its size asks for; whether all were answered with 200.
export function charge(buyer, amount) {
  for (let left = amount, part = 1; left > 0; part += 1) {
    const now = Math.min(CHARGE_MAX, Math.max(CHARGE_MIN, left));
    const answer = send(
      call('POST', BALANCE, {
        path: '/v1/users/me/balance',
        bearer: buyer.token,
        key: `charge-${part}`,
        body: { amount: now },
        expected: [200],
      }),
    );
    if (answer.status !== 200) return false;
    left -= now;
  }
  return true;
}

export function pay(buyer, place, reservationId, alsoExpected = []) {
  return send(
    call('POST', PAY, {
      bearer: buyer.token,
      queueToken: place.token,
      key: 'pay-1',
      body: { reservationId },
      expected: [200, ...alsoExpected],
    }),
  );
}

export function balance(buyer) {
  return send(call('GET', BALANCE, { path: '/v1/users/me/balance', bearer: buyer.token, expected: [200] }));
}
