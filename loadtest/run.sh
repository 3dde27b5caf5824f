#!/usr/bin/env bash
# Loads a sale and proves that it is still sound: run.sh [SCENARIO...], of k6's (k6/*.js) and `goose`; journey and goose by default.
#
# Without BASE_URL each scenario gets an `onsale up` of its own: fresh folder, free ports, loadtest/catalog.yaml, audited when the load is
# over. With BASE_URL it loads what is there, and audits with the command in AUDIT, if there is one. Anything that fails fails the run.
#
# Programs (`make loadtest` builds them): ONSALE, K6, GOOSE. Reports go to REPORT_DIR. Parameters of the scenarios: README.md.
# Names of files are relative to the caller's working folder, which stays what it is: AUDIT runs there too.
set -euo pipefail
here=$(realpath "$(dirname "$0")")

: "${ONSALE:=$here/../target/release/onsale}" "${K6:=$here/../target/tools/k6}" "${GOOSE:=$here/../target/debug/onsale-loadtest}"
: "${REPORT_DIR:=$here/../target/loadtest-reports}"
# k6 looks for files beside its script.
[ -z "${IDENTITY_KEY_FILE:-}" ] || IDENTITY_KEY_FILE=$(realpath "$IDENTITY_KEY_FILE")
export ONSALE__TELEMETRY__LEVEL=warn
READY_SECONDS=120
STOP_SECONDS=60

mkdir -p "$REPORT_DIR"
REPORT_DIR=$(realpath "$REPORT_DIR")
# Unix sockets of the engines lie in it, and their paths end at 107 bytes: not below the working folder.
scratch=$(mktemp -d "${TMPDIR:-/tmp}/onsale-load.XXXXXX")
server=
failed=()

stop() {
  [ -n "$server" ] || return 0
  local pid=$server
  server=
  kill -INT "$pid" 2>/dev/null || true
  for ((waited = 0; ; waited++)); do
    kill -0 "$pid" 2>/dev/null || break
    if ((waited == STOP_SECONDS * 10)); then
      echo "onsale up did not stop within $STOP_SECONDS s" >&2
      # Its engines die with it.
      kill -KILL "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
  done
  wait "$pid" || { echo "onsale up ended with $?" >&2; return 1; }
}

finish() {
  stop || true
  rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT TERM

# Starts an instance of its own for a scenario and waits until it serves.
start() {
  folder=$scratch/$1
  mkdir "$folder"
  : >"$folder/out"
  local bounds=()
  # The default bound of 20,000 waiting requests is out of reach of a load generator on the same machine. Each runtime has a bound of its
  # own, and there are as many as cores unless said.
  [ "$1" != overload ] || bounds=(ONSALE__COALESCE__QUEUE_REQUESTS=16 ONSALE__SERVER__RUNTIMES=2)
  env "${bounds[@]}" "$ONSALE" up --data-dir "$folder/data" --catalog "$here/catalog.yaml" \
    --listen 127.0.0.1:0 --ops-listen 127.0.0.1:0 >"$folder/out" 2>"$REPORT_DIR/$1.server.log" &
  server=$!
  for ((waited = 0; waited < READY_SECONDS * 10; waited++)); do
    url=$(sed -n 's/^ready //p' "$folder/out")
    [ -z "$url" ] || return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "onsale up did not get ready; see $REPORT_DIR/$1.server.log" >&2
  return 1
}

# The load itself; its exit code says whether every threshold held.
load() {
  if [ "$1" = goose ]; then
    "$GOOSE" --host "$BASE_URL" --users "${GOOSE_USERS:-20}" --increase-rate 10 --run-time "${RUN_SECONDS:-15}s" \
      --report-file "$REPORT_DIR/goose.html" --quiet --no-telnet --no-reset-metrics \
      --no-threshold-abort --threshold "p95<${P95_MS:-1000}ms" --threshold 'error-rate<=0%'
    return
  fi
  # A report on the web for those who want one; no port is opened for it, and k6 sends no statistics home.
  K6_WEB_DASHBOARD=true K6_WEB_DASHBOARD_PORT=-1 K6_WEB_DASHBOARD_PERIOD=1s \
    K6_WEB_DASHBOARD_EXPORT="$REPORT_DIR/$1.html" K6_NO_USAGE_REPORT=true REPORT_DIR=$REPORT_DIR \
    "$K6" run --quiet --address '' "$here/k6/$1.js"
}

audit() {
  if [ -z "${server:-}" ]; then
    [ -z "${AUDIT:-}" ] || $AUDIT >"$REPORT_DIR/$1.audit.json"
    return
  fi
  "$ONSALE" audit --data-dir "$folder/data" >"$REPORT_DIR/$1.audit.json"
}

run() {
  local url folder verdict=ok
  echo "== $1"
  if [ -z "${OF_THEIR_OWN:-}" ]; then
    if ! start "$1"; then
      stop || true
      echo "== $1: start failed"
      return 1
    fi
    export BASE_URL=$url IDENTITY_KEY_FILE=$folder/data/keys/identity.key
  fi
  load "$1" || verdict="thresholds failed"
  audit "$1" || verdict="$verdict, audit failed"
  stop || verdict="$verdict, stop failed"
  echo "== $1: $verdict"
  [ "$verdict" = ok ]
}

OF_THEIR_OWN=${BASE_URL:-}
[ $# -gt 0 ] || set -- journey goose
for scenario in "$@"; do
  [ "$scenario" = goose ] || [ -f "$here/k6/$scenario.js" ] || { echo "no scenario $scenario" >&2; exit 2; }
done
for scenario in "$@"; do
  run "$scenario" || failed+=("$scenario")
done
echo "reports: $REPORT_DIR"
[ ${#failed[@]} = 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
