#!/usr/bin/env bash
# Whether k6 could run each script, without any load: check-k6.sh K6.
#
# k6 itself, where it has been built, reads a script with all that it imports, and its options. Building it only for this takes minutes,
# so elsewhere node reads the syntax. Where neither is there, nothing is read, and it says so: neither is needed to build or test onsale.
set -euo pipefail
here=$(realpath "$(dirname "$0")")

k6=$1
if [ -x "$k6" ]; then
  for script in "$here"/k6/*.js; do
    IDENTITY_KEY_FILE=/dev/null "$k6" inspect --include-system-env-vars "$script" >/dev/null
  done
  echo "k6 read its scripts"
elif command -v node >/dev/null; then
  for script in "$here"/k6/*.js "$here"/k6/lib/*.js; do
    node --input-type=module --check <"$script" || { echo "in $script" >&2; exit 1; }
  done
  echo "node read k6's scripts; what they import from each other was not looked at"
else
  echo "neither k6 nor node is here: k6's scripts were not read" >&2
fi
