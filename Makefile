# `make up` runs the system, `make test` proves it; each sets up first what it needs. Nothing is installed outside .venv.

VENV := .venv
BIN := $(VENV)/bin
# Options for `agent-orchestrator up`, and for pytest: make up ARGS="--port 9000", make test ARGS="-k stop".
ARGS ?=
# Test processes that run side by side; 0 for one process, as a debugger needs it.
JOBS ?= 2
# The first of these that runs, is new enough and can make environments is used. For 3.12 and 3.11 there is a wheel that
# brings a redis-server along; with any other, install redis-server yourself.
PYTHONS ?= python3.12 python3.11 python3 python3.13 python3.14 python
# These are stated when they are there, and then installed exactly.
LOCK := $(wildcard requirements.lock)
DEV_LOCK := $(wildcard requirements-dev.lock)
FUZZ_LOCK := requirements-fuzz.lock

# What looks for known weaknesses, in an environment of its own.
AUDIT := .venv-audit
AUDIT_LOCK := requirements-audit.lock

# What we are compared with, in an environment of its own; Socket.IO needs Node.js and npm, and is left out without.
PEERS := .venv-peers
PEERS_LOCK := bench/peers/requirements.lock
SOCKETIO := bench/peers/socketio

# The dashboard is built from these; Node.js is the one on PATH where it fits, else a Python package's.
WITH_NODE := dashboard/with-node
NODE_MODULES := dashboard/node_modules/.installed
PAGE := api/static/index.html
PAGE_SOURCES := $(wildcard dashboard/*.json dashboard/*.ts) dashboard/index.html $(shell find dashboard/src -type f)
# What clients' types are generated from.
SCHEMAS := coordinator documents messages

INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
INSTALLED_FUZZ := $(VENV)/.installed-fuzz
LOCKING_ALL := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --quiet --upgrade
LOCKING := $(LOCKING_ALL) pyproject.toml
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.PHONY: help up install dev dashboard types test test-dashboard lint format wheel screenshots peers bench bench-quick bench-agents bench-dashboard faults soak security fuzz audit lock clean

help:
	@echo 'make up       run the system here until Ctrl-C; ARGS="--port 9000 --workers 2" go to agent-orchestrator up'
	@echo 'make install  only make $(VENV), with the project in it'
	@echo 'make test     run all tests; ARGS="-k stop" go to pytest, JOBS=0 runs one at a time'
	@echo 'make dashboard  build the web page into api/static; make up does so, too'
	@echo 'make test-dashboard  run the tests of the dashboard that need no system'
	@echo 'make types    generate the types of what goes over the wire anew for the dashboard'
	@echo 'make screenshots  take the pictures in docs/screenshots anew'
	@echo 'make wheel    build the package, with the dashboard in it, into dist'
	@echo 'make lint     check style and types'
	@echo 'make format   bring the code into style'
	@echo 'make bench    measure everything side by side with other ways, in a quarter of an hour; bench-quick in two minutes'
	@echo 'make bench-agents  measure from pressing Stop to the end, for each way in'
	@echo 'make bench-dashboard  measure how evenly the web page scrolls through 10,000 sessions and 100,000 events'
	@echo 'make faults   inject faults under load and hold what is promised against what happened; ARGS="--only NAME", ARGS=--short'
	@echo 'make soak     let all of it work for a minute and watch what it uses; ARGS="--seconds 3600 --out docs/soak.svg"'
	@echo 'make security attack the real system, and print what was tried and how it was refused; ARGS="--only NAME"'
	@echo 'make fuzz     give every parser and route so many seconds of odd input: AGENT_ORCHESTRATOR_FUZZ_SECONDS=10'
	@echo 'make audit    ask whether weaknesses are known of the pinned packages; status 2 if nobody answers'
	@echo 'make lock     write down anew which versions are installed'
	@echo 'make clean    remove what was installed and built; data is left alone'

up: $(INSTALLED)
	@$(MAKE) --no-print-directory dashboard || \
	  echo 'The dashboard could not be built (see above); all else runs without it. Try again with: make dashboard' >&2
	@$(BIN)/agent-orchestrator up $(ARGS)

install: $(INSTALLED)

dev: $(INSTALLED_DEV)

dashboard: $(PAGE)

test: $(INSTALLED_DEV) $(PAGE) test-dashboard
	$(BIN)/python -m pytest -n $(JOBS) $(ARGS)

test-dashboard: $(NODE_MODULES)
	$(WITH_NODE) npm test --silent

lint: $(INSTALLED_DEV) $(NODE_MODULES)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(WITH_NODE) npm run --silent lint
	$(WITH_NODE) npm run --silent typecheck
	@$(MAKE) --no-print-directory types TYPES=--check

format: $(INSTALLED_DEV) $(NODE_MODULES)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(WITH_NODE) npm run --silent format

# TYPES=--check only looks whether the committed ones are what would be generated.
types: $(INSTALLED_DEV) $(NODE_MODULES)
	@mkdir -p build/schemas
	@for name in $(SCHEMAS); do \
	  $(BIN)/agent-orchestrator schema $$name >build/schemas/$$name.json && \
	  $(WITH_NODE) npm exec -- openapi-typescript ../build/schemas/$$name.json -o src/wire/$$name.d.ts $(TYPES) || exit 1; \
	done

wheel: $(INSTALLED_DEV) $(PAGE)
	$(BIN)/python -m pip --disable-pip-version-check wheel --quiet --no-deps --wheel-dir dist .

screenshots: $(INSTALLED_DEV) $(PAGE)
	$(BIN)/python -m tests.dashboard.screenshots docs/screenshots

peers: $(PEERS)/.installed $(SOCKETIO)/.installed

# ARGS="--only stop ingest" runs some.
bench: $(INSTALLED_DEV) peers
	$(BIN)/python -m bench $(ARGS)

bench-quick: $(INSTALLED_DEV) peers
	$(BIN)/python -m bench --quick $(ARGS)

bench-agents: $(INSTALLED_DEV)
	$(BIN)/python -m bench.stop_agents $(ARGS)

faults: $(INSTALLED_DEV)
	$(BIN)/python -m tests.faults $(ARGS)

soak: $(INSTALLED_DEV)
	$(BIN)/python -m tests.soak $(ARGS)

security: $(INSTALLED_DEV) $(PAGE)
	$(BIN)/python -m tests.security $(ARGS)

# The parsers, guided by what is reached in them, where there is a build of the fuzzer; then the routes, as each role.
fuzz: export AGENT_ORCHESTRATOR_FUZZ_SECONDS ?= 10
fuzz: $(INSTALLED_FUZZ)
	$(BIN)/python -m tests.fuzz $(ARGS) || [ $$? = 2 ]
	$(BIN)/python -m pytest -n $(JOBS) tests/fuzz tests/integration/test_openapi.py

audit: $(AUDIT)/.installed $(INSTALLED_DEV)
	$(BIN)/python -m tests.audit $(AUDIT)/bin/pip-audit $(CURDIR)/$(WITH_NODE) npm

bench-dashboard: $(INSTALLED_DEV) $(PAGE)
	$(BIN)/python -m bench.scrolling $(ARGS)

# Versions and hashes of everything, without where they come from; to be run after a change of dependencies.
lock: $(INSTALLED_DEV)
	$(PIP) uv
	$(LOCKING) -o requirements.lock
	$(LOCKING) --extra dev -o requirements-dev.lock
	$(LOCKING) --extra fuzz --constraint requirements-dev.lock -o $(FUZZ_LOCK)
	$(LOCKING) --extra telemetry --constraint requirements-dev.lock -o requirements-image.lock
	$(LOCKING_ALL) requirements-audit.in -o $(AUDIT_LOCK)

clean:
	rm -rf $(VENV) $(PEERS) $(AUDIT) $(SOCKETIO)/node_modules dashboard/node_modules api/static build dist

# The stamp files are written last: what was interrupted is done again.
$(INSTALLED): pyproject.toml $(LOCK) | $(BIN)/python
	@echo 'Installing the project into $(VENV) …'
ifneq ($(LOCK),)
	@$(PIP) --require-hashes -r $(LOCK)
	@$(PIP) --no-deps -e .
else
	@$(PIP) -e .
endif
	@touch $@

$(INSTALLED_DEV): pyproject.toml $(LOCK) $(DEV_LOCK) | $(BIN)/python
	@echo 'Installing the project and its development tools into $(VENV) …'
ifneq ($(DEV_LOCK),)
	@$(PIP) --require-hashes -r $(DEV_LOCK)
	@$(PIP) --no-deps -e .
else
	@$(PIP) -e '.[dev]'
endif
	@touch $(INSTALLED) $@

$(INSTALLED_FUZZ): $(FUZZ_LOCK) | $(INSTALLED_DEV)
	@echo 'Installing the fuzzer into $(VENV) …'
	@$(PIP) --require-hashes -r $(FUZZ_LOCK)
	@touch $@

$(AUDIT)/.installed: $(AUDIT_LOCK) | $(BIN)/python
	@echo 'Installing what looks for known weaknesses into $(AUDIT) …'
	@$(BIN)/python -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

$(NODE_MODULES): dashboard/package-lock.json dashboard/package.json | $(BIN)/python
	@echo 'Installing what the dashboard is built from into dashboard/node_modules …'
	@$(WITH_NODE) npm ci --loglevel error
	@touch $@

$(PAGE): $(PAGE_SOURCES) | $(NODE_MODULES)
	@echo 'Building the dashboard into api/static …'
	@$(WITH_NODE) npm run --silent build

$(PEERS)/.installed: $(PEERS_LOCK) | $(BIN)/python
	@echo 'Installing the benchmarks'\'' peers into $(PEERS) …'
	@$(BIN)/python -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes -r $<
	@touch $@

$(SOCKETIO)/.installed: $(SOCKETIO)/package-lock.json
	@if command -v npm >/dev/null; then cd $(SOCKETIO) && npm ci --silent --no-fund --no-audit; \
	else echo 'No npm here: Socket.IO is left out of the benchmarks' >&2; fi
	@touch $@

# Each candidate is run, for a name on PATH may be a shim that only prints an error.
$(BIN)/python:
	@for name in $(PYTHONS); do \
	  $$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || continue; \
	  echo "Making $(VENV) with $$($$name --version) …"; \
	  $$name -m venv --clear $(VENV) && exit 0; \
	  rm -rf $(VENV); \
	done; \
	echo 'No Python here is 3.11 or newer and has venv: install one (on Debian and Ubuntu: apt install python3 python3-venv;' >&2; \
	echo 'with Homebrew: brew install python@3.12), or name yours: make PYTHONS=/path/to/python3' >&2; \
	exit 1
