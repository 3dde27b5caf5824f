// What a run is told, by the environment. Every scenario has defaults that two slow cores bear.

// A whole number of at least 0 from the environment. A typing error must not become a load of NaN.
export function number(name, fallback) {
  const text = __ENV[name];
  if (text === undefined || text === '') return fallback;
  if (!/^\d+$/.test(text)) throw new Error(`${name} is no whole number: ${text}`);
  return Number(text);
}

export function text(name, fallback) {
  return __ENV[name] || fallback;
}

// open() reads files only while a script loads, so this is no setting that a scenario could ask for later.
function identitySecret() {
  const file = __ENV.IDENTITY_KEY_FILE;
  if (!file) throw new Error('IDENTITY_KEY_FILE names the file with the HS256 secret that signs identity tokens');
  return open(file).trim();
}

export const baseUrl = text('BASE_URL', 'http://127.0.0.1:8080').replace(/\/$/, '');
export const identityKey = { kid: text('IDENTITY_KEY_ID', 'development'), secret: identitySecret() };

// Which concert and show a scenario sells: those of loadtest/catalog.yaml unless told otherwise.
export function sale(fallback) {
  return { concert: number('CONCERT', fallback), show: number('SHOW', fallback) };
}

// Milliseconds that 95 of 100 answers stay under.
export const p95 = number('P95_MS', 1000);

// How long somebody waits to be let in.
export const patienceSeconds = number('PATIENCE_SECONDS', 60);
// What is left of a visit once its patience is over, with calls that are themselves slow. k6 cuts visits off after it, and whoever is cut
// off counts nowhere: it must be longer than the patience, or a line that stands still would look like one with nobody in it.
const GRACE_SECONDS = 30;

// Open model: `rate` arrivals a second keep coming for so many seconds, however long the answers take.
// `each` is how many seconds one is expected to take; k6 keeps virtual users for that, and makes more when it takes longer.
export function arrivals(rate, seconds, each, more = {}) {
  const vus = Math.max(10, Math.ceil(rate * each));
  return {
    executor: 'constant-arrival-rate',
    rate,
    timeUnit: '1s',
    duration: `${seconds}s`,
    preAllocatedVUs: vus,
    maxVUs: number('MAX_VUS', vus * 4),
    gracefulStop: `${patienceSeconds + GRACE_SECONDS}s`,
    ...more,
  };
}

// What all scenarios set alike.
export const shared = {
  summaryTrendStats: ['min', 'med', 'p(95)', 'p(99)', 'max', 'count'],
  setupTimeout: '2m',
  batch: 100,
  batchPerHost: 100,
  noCookiesReset: true,
};

// Every scenario's first promises: no answer that the contract does not name, no check that fails, and a load that was what it says.
// k6 drops an arrival when it has no virtual user for it; as many as come in a second may be, while it makes more of those.
export function promises(rate) {
  return {
    unexpected_answers: ['count==0'],
    checks: ['rate==1'],
    dropped_iterations: [`count<=${number('DROPPED_MAX', rate)}`],
  };
}

// Bounds on the latency of these calls, by the name that client.js gives them.
export function latency(...names) {
  return latencyBelow(p95, ...names);
}

export function latencyBelow(bound, ...names) {
  return Object.fromEntries(names.map((name) => [`http_req_duration{name:${name}}`, [`p(95)<${bound}`]]));
}
