#!/usr/bin/env bash
# Builds k6, pinned, into a folder, unless it is there: build-k6.sh FOLDER. Go comes from apt where there is none.
set -euo pipefail

K6_VERSION=v1.8.1
# What this k6 names in its go.mod. Go fetches it by itself from 1.21 on; Debian 12 has 1.19, which has to be helped.
GO_TOOLCHAIN=go1.25.12
GO_THAT_FETCHES=1.21

folder=$1
case "$("$folder/k6" version 2>/dev/null || true)" in "k6 $K6_VERSION "*) exit 0 ;; esac

if ! command -v go >/dev/null; then
  root=
  [ "$(id -u)" = 0 ] || root=sudo
  $root apt-get update
  $root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends golang-go
fi

mkdir -p "$folder"
folder=$(realpath "$folder")
here=$(go env GOVERSION)
if [ "$(printf '%s\n' "$GO_THAT_FETCHES" "${here#go}" | sort -V | head -n 1)" != "$GO_THAT_FETCHES" ]; then
  toolchain=golang.org/toolchain@v0.0.1-$GO_TOOLCHAIN.$(go env GOOS)-$(go env GOARCH)
  (cd / && go mod download "$toolchain")
  # Modules are stored read-only and without the right to run; the cache stays as Go wants it.
  rm -rf "$folder/go"
  cp -r "$(go env GOMODCACHE)/$toolchain" "$folder/go"
  chmod -R u+w "$folder/go"
  chmod +x "$folder"/go/bin/* "$folder"/go/pkg/tool/*/*
  export GOROOT=$folder/go PATH=$folder/go/bin:$PATH
fi
GOBIN=$folder go install "go.k6.io/k6@$K6_VERSION"
