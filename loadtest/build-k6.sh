#!/usr/bin/env bash
# Builds k6, pinned, into a folder, unless it is there: build-k6.sh FOLDER. Go comes from apt where there is none.
set -euo pipefail

K6_VERSION=v1.8.1

folder=$1
case "$("$folder/k6" version 2>/dev/null || true)" in "k6 $K6_VERSION "*) exit 0 ;; esac
rm -f "$folder/k6"
"$(dirname "$0")/go-install.sh" "$folder" go.k6.io/k6 "$K6_VERSION" k6
