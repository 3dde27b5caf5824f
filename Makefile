# run: everything on this machine. test, lint, lint-loadtest: what CI does. install: the programs they need, where one is missing.
# bench: measures every figure of docs/performance.md and writes it anew (some 20 minutes on an idle machine).
# secrets: keys and passwords for docker-compose.yml, made once.
# loadtest: the load tests against servers of their own (loadtest/README.md), SCENARIO="rush abandon" for others than the short round.
# Each target works on a fresh Debian or Ubuntu with a Rust toolchain.

CARGO_DENY_VERSION := 0.20.2
CARGO ?= cargo
SECRETS ?= secrets
TARGET = $(shell $(CARGO) metadata --no-deps --format-version 1 | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
SCENARIO ?= journey goose

# What judges calls to Stripe, by the OpenAPI of the version that src/gateway/stripe/wire.rs names.
STRIPE_MOCK_VERSION := 0.203.0

# The broker of the Kafka tests; tests/it/kafka/pom.xml pins it.
KAFKA_JARS = $(TARGET)/tools/kafka-4.0.0

.PHONY: run test bench lint lint-loadtest loadtest secrets install install-programs install-python install-deny \
	install-kafka install-stripe-mock

run: install-programs
	$(CARGO) build --release --locked --bin onsale
	$(TARGET)/release/onsale up --data-dir data --catalog docs/demo.yaml

test: install
	$(CARGO) test --locked
	$(CARGO) test --locked --bench performance -- --smoke

bench: install-programs
	$(CARGO) bench --locked --bench performance

lint: install-programs install-deny
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	luacheck --quiet lua tests
	$(CARGO) deny --locked check bans licenses sources

# What is there stays. Only we may enter the folder; the files in it are readable, since the users in the containers are others.
secrets:
	@set -e; \
	(umask 077; mkdir -p '$(SECRETS)'); cd '$(SECRETS)'; umask 022; \
	once() { [ -s "$$1" ] || { printf "$$2\n" >"$$1.new"; mv "$$1.new" "$$1"; }; }; \
	random() { once "$$1" "$$(od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n')"; }; \
	random identity_key; random queue_token_key; random ticket_key; \
	random mysql_root_password; random mysql_password; random redis_password; random grafana_password; \
	once mysql_url "mysql://onsale:$$(cat mysql_password)@mysql:3306/onsale"; \
	once redis_url "redis://:$$(cat redis_password)@redis:6379"; \
	once redis_acl "user default on >$$(cat redis_password) ~* &* +@all\nuser health on nopass +ping"

# Apart from lint, since it checks some hundred crates that nothing else needs: 140 s of a core, the first time.
lint-loadtest:
	$(CARGO) clippy --locked --package onsale-loadtest --all-targets -- -D warnings
	for script in loadtest/*.sh; do bash -n $$script || exit; done
	loadtest/check-k6.sh $(TARGET)/tools/k6

# The server is built as it is sold, alone, so that the load tests' crates can't change its features.
loadtest: install-programs
	loadtest/build-k6.sh $(TARGET)/tools
	$(CARGO) build --release --locked --bin onsale
	$(CARGO) build --locked --package onsale-loadtest
	target=$(TARGET); ONSALE=$$target/release/onsale K6=$$target/tools/k6 GOOSE=$$target/debug/onsale-loadtest \
		REPORT_DIR=$$target/loadtest-reports loadtest/run.sh $(SCENARIO)

# RUNLEVEL=1 keeps the packages from starting services: tests and `up` run engines of their own.
install: install-programs install-python install-kafka install-stripe-mock

install-programs:
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
	python3 -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	need make make; \
	need c++ g++; \
	[ -n "$$missing" ] || exit 0; \
	root=; [ "$$(id -u)" = 0 ] || root=sudo; \
	$$root apt-get update; \
	$$root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $$missing

# What asks and uses the API in tests/it/openapi, in a folder of its own beside the build.
install-python: install-programs
	@set -e; \
	python=$(TARGET)/python; wanted=tests/it/openapi/requirements.txt; \
	cmp -s $$wanted $$python/requirements.txt || { \
		python3 -m venv --clear $$python; \
		$$python/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement $$wanted; \
		cp $$wanted $$python/; \
	}

# Java runs the broker, Maven fetches it, once.
install-kafka:
	@set -e; \
	missing=; \
	command -v java >/dev/null || missing="$$missing default-jre-headless"; \
	[ -d $(KAFKA_JARS) ] || command -v mvn >/dev/null || missing="$$missing maven"; \
	if [ -n "$$missing" ]; then \
		root=; [ "$$(id -u)" = 0 ] || root=sudo; \
		$$root apt-get update; \
		$$root env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends $$missing; \
	fi; \
	[ -d $(KAFKA_JARS) ] || { \
		rm -rf $(KAFKA_JARS).new; \
		mvn --quiet --batch-mode --file tests/it/kafka/pom.xml dependency:copy-dependencies \
			-DincludeScope=runtime -DoutputDirectory=$(KAFKA_JARS).new; \
		mv $(KAFKA_JARS).new $(KAFKA_JARS); \
	}

# Go builds it, once.
install-stripe-mock: install-programs
	@loadtest/go-install.sh $(TARGET)/tools github.com/stripe/stripe-mock v$(STRIPE_MOCK_VERSION) stripe-mock-$(STRIPE_MOCK_VERSION)

install-deny:
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny@$(CARGO_DENY_VERSION)
