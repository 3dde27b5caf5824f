# run: everything on this machine. test, lint: what CI does. install: the programs they need, where one is missing.
# Each target works on a fresh Debian or Ubuntu with a Rust toolchain.

CARGO_DENY_VERSION := 0.20.2
CARGO ?= cargo

.PHONY: run test lint install install-deny

run: install
	$(CARGO) build --release --locked --bin onsale
	$$($(CARGO) metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/onsale \
		up --data-dir data --catalog docs/demo.yaml

test: install
	$(CARGO) test --locked

lint: install install-deny
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	luacheck --quiet lua tests
	$(CARGO) deny --locked check bans licenses sources

# RUNLEVEL=1 keeps the packages from starting services: tests and `up` run engines of their own.
install:
	@set -e; \
	missing=; \
	need() { command -v "$$1" >/dev/null || [ -x "/usr/sbin/$$1" ] || missing="$$missing $$2"; }; \
	need redis-server redis-server; \
	need mariadbd mariadb-server-core; \
	need mariadb-install-db mariadb-server-core; \
	need mariadb mariadb-client-core; \
	need luacheck lua-check; \
	need prometheus prometheus; \
	need promtool prometheus; \
	need setpriv util-linux; \
	need ps procps; \
	[ -n "$$missing" ] || exit 0; \
	root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	$$root apt-get update; \
	$$root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $$missing

install-deny:
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny@$(CARGO_DENY_VERSION)
