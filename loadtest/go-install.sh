#!/usr/bin/env bash
# Builds a command of a Go module, pinned, into a folder under a name, unless it is there: go-install.sh FOLDER MODULE VERSION NAME.
# Go comes from apt where there is none.
set -euo pipefail

# What k6 v1.8.1 names in its go.mod, and more than any other command of ours does. Go fetches it by itself from 1.21 on; Debian 12
# has 1.19, which has to be helped.
GO_TOOLCHAIN=go1.25.12
GO_THAT_FETCHES=1.21

folder=$1 module=$2 version=$3 name=$4
[ ! -x "$folder/$name" ] || exit 0

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
building=$(mktemp -d "$folder/building.XXXXXX")
trap 'rm -rf "$building"' EXIT
(cd / && GOBIN=$building go install "$module@$version")
mv "$building/${module##*/}" "$folder/$name"
