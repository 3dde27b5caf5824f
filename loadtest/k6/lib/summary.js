// What is left of a run: a page of text for whoever watches, all figures as JSON for whoever compares.

const WIDTH = 46;

// The text is ours since k6's own summary is a module of the web.
export function summaryOf(scenario) {
  return function handleSummary(data) {
    const report = { stdout: textOf(scenario, data) };
    const folder = __ENV.REPORT_DIR;
    // What setup() made are queue tokens and seats: of no use to whoever compares, and tokens are nobody's business.
    if (folder) report[`${folder}/${scenario}.json`] = JSON.stringify({ ...data, setup_data: undefined }, null, 2);
    return report;
  };
}

function textOf(scenario, data) {
  const lines = [`\nk6 ${scenario}: ${(data.state.testRunDurationMs / 1000).toFixed(1)} s`];
  const named = Object.entries(data.metrics).sort(([one], [other]) => (one < other ? -1 : 1));
  const latencies = named.filter(([name]) => name.startsWith('http_req_duration'));
  lines.push(`  ${'answers'.padEnd(WIDTH)}${['count', 'med', 'p95', 'p99', 'max'].map((word) => word.padStart(9)).join('')}  ms`);
  for (const [name, { values }] of latencies) lines.push(`  ${shortName(name).padEnd(WIDTH)}${times(values)}`);
  for (const [name, metric] of named.filter(([name]) => !isOfHttp(name))) lines.push(`  ${name.padEnd(WIDTH)}${figures(metric)}`);
  const requests = data.metrics.http_reqs;
  if (requests) lines.push(`  ${'http_reqs'.padEnd(WIDTH)}${figures(requests)}`);
  lines.push(...brokenChecks(data.root_group), ...verdicts(named), '');
  return lines.join('\n');
}

// k6's own trends of a request's phases are left to the JSON and the HTML report.
function isOfHttp(name) {
  return name.startsWith('http_') || ['data_sent', 'data_received', 'vus', 'vus_max'].includes(name);
}

function shortName(name) {
  const of = name.match(/^http_req_duration\{name:(.*)\}$/);
  if (of) return of[1];
  return name === 'http_req_duration' ? 'all' : name.replace('http_req_duration', '');
}

function times(values) {
  const cell = (value) => (value === undefined ? '-' : value.toFixed(1)).padStart(9);
  return String(values.count === undefined ? '-' : values.count).padStart(9) + ['med', 'p(95)', 'p(99)', 'max'].map((stat) => cell(values[stat])).join('');
}

function figures({ type, values }) {
  if (type === 'rate') return `${(values.rate * 100).toFixed(2)} %  (${values.passes} of ${values.passes + values.fails})`;
  if (type === 'counter') return `${values.count}  (${values.rate.toFixed(1)}/s)`;
  if (type === 'trend') return `med ${values.med.toFixed(2)}  p95 ${values['p(95)'].toFixed(2)}  max ${values.max.toFixed(2)}`;
  return String(values.value);
}

// Only those that failed: what holds is one line, `checks`.
function brokenChecks({ checks }) {
  const broken = checks.filter(({ fails }) => fails > 0);
  return broken.map(({ name, passes, fails }) => `  FAIL  not always so: ${name} (${fails} of ${passes + fails})`);
}

function verdicts(named) {
  const lines = [];
  for (const [name, { thresholds }] of named) {
    for (const [rule, { ok }] of Object.entries(thresholds || {})) {
      lines.push(`  ${ok ? 'ok  ' : 'FAIL'}  ${shortName(name)} ${rule}`);
    }
  }
  return lines;
}
