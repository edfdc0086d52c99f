# zoe: set-up, demo, tests. Needs Python 3.11 or newer, pip and make; everything goes into .venv.
#
#   make demo    an hour of paper trading at sixty times the speed, and its report
#   make test    the tests
#   make check   the tests' neighbours: lint, types, layers, architecture, the built wheel
#   make acceptance   the slow tests: whole recordings, fifty kills (about a quarter of an hour)
#   make crash   the gate killed at each of its moments, under each fault, on both databases
#   make chaos   busy hours under every fault, the loop killed and rebuilt, 100 seeds (some hours)
#   make shared-key   ten scaled minutes of a loop, a standby, cron lines and an import on one key
#   make conformance   clients by others against the paper exchange; writes their table into docs/paper.md
#   make cassettes   record the client's conversations with the paper exchange anew
#   make smoke   twenty seconds of paper trading
#   make bench   measurements; beside clients by others after `make bench-peers`
#   make docs    write what --help says into docs/commands, and the JSON schemas
#   make clean   remove everything made here

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
PY := $(VENV)/bin/python
CLIENTS := .venv-clients
ZOE := $(CURDIR)/$(VENV)/bin/zoe
PIP := PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_DISABLE_PIP_VERSION_CHECK=1 \
	$(PY) -m pip --quiet install -c constraints.txt
# One more than two cores have room for: many tests wait for processes that they have started.
JOBS ?= 3
# What was compiled is kept: the tests start many processes, and each would compile all of zoe.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest -q
BENCHES := -q -s -o python_files='bench_*.py' -o python_functions='bench_*'

# A home of its own for every demo: nothing is left from the last one, and nothing of yours is touched.
PAPER_ENV := env -u I_UNDERSTAND_LIVE -u KRAKEN_API_KEY -u KRAKEN_API_SECRET -u DATABASE_URL \
	EDGE_FACTORY_MODE=paper MAX_DAILY_NOTIONAL=5000

# Makes the home, trades in it, and ends the exchange that served it.
RUN_ON_PAPER = run_on_paper() { \
	  mkdir -p .demo && home=$$(mktemp -d "$(CURDIR)/.demo/home-XXXXXX") || return 1; \
	  ZOE_HOME=$$home $(PAPER_ENV) $(ZOE) init >/dev/null && ZOE_HOME=$$home $(PAPER_ENV) $(ZOE) run "$$@"; \
	  code=$$?; \
	  kill $$(sed -n 's/.*"pid": \([0-9]*\).*/\1/p' "$$home/paper/port.json") 2>/dev/null; \
	  return $$code; \
	}; run_on_paper

.PHONY: help demo smoke test acceptance chaos crash shared-key conformance cassettes check bench bench-peers docs clean setup setup-test setup-check

help:
	@sed -n 's/^#   //p' Makefile

demo: setup
	@$(RUN_ON_PAPER) --strategy demo --speed 60 --for 60m

smoke: setup
	@$(RUN_ON_PAPER) --strategy demo --for 20s

test: setup-test
	@$(PYTEST) -n $(JOBS) --dist worksteal --ignore=tests/packaging --ignore=tests/conformance

acceptance: setup-test
	@$(PYTEST) -n $(JOBS) --dist worksteal -m slow tests

crash: setup-test
	@PYTHONPATH=tests $(PY) tests/crash_matrix.py

# One seed alone, the same again: PYTHONPATH=tests .venv/bin/python tests/chaos_run.py --seed 17
# --twice has another process do it, too, and compares. First of all --mutants: nine minutes of market in
# which nothing is violated, and again with each of eight rules of gate and desk broken; each turns it red.
chaos: setup-test
	@PYTHONPATH=tests $(PY) tests/chaos_run.py --mutants
	@PYTHONPATH=tests $(PY) tests/chaos_run.py

# On SQLite and on PostgreSQL; about ten minutes.
shared-key: setup-test
	@exec $(PY) -m pytest -q -s -m 'slow or not slow' -k 'everybody or count' tests/e2e/test_one_key.py

# A client that waits for ever is ended after a minute, and the run with it.
conformance: $(CLIENTS)/.stamp
	@$(CLIENTS)/bin/python -m pytest -q -n $(JOBS) --dist loadfile --table tests/conformance \
	  -o faulthandler_timeout=60 -o faulthandler_exit_on_timeout=true

# The same bytes every time: a difference afterwards is a change of the client or of the exchange.
cassettes: setup-test
	@PYTHONPATH=tests $(PY) tests/kraken/recorded.py

check: setup-check
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(PY) -m pytest -q tests/test_architecture.py tests/packaging

# The client is measured beside those of others where they are installed: `make bench-peers` does it.
bench: setup-test
	@$(PY) -m pytest $(BENCHES) tests/bench --ignore=tests/bench/bench_client.py
	@python=$(CLIENTS)/bin/python; [ -e $(CLIENTS)/.stamp ] || python=$(PY); \
	  $$python -m pytest $(BENCHES) tests/bench/bench_client.py

bench-peers: $(CLIENTS)/.stamp

docs: setup
	@$(PY) tests/help_blocks.py
	@$(PY) tests/schema_files.py

clean:
	rm -rf $(VENV) $(CLIENTS) .demo build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache \
		.grimp_cache .hypothesis
	find src tests alembic -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up: one environment, three stages, each remembered by a stamp ---------------------------

setup: $(VENV)/.stamp-run
setup-test: $(VENV)/.stamp-test
setup-check: $(VENV)/.stamp-check

$(VENV)/.stamp-run: pyproject.toml constraints.txt | $(PY)
	@echo "Setting up zoe in $(VENV) ..."
	@$(PIP) -e .
	@touch $@

$(VENV)/.stamp-test: pyproject.toml constraints.txt | $(PY)
	@echo "Setting up zoe and its tests in $(VENV) ..."
	@$(PIP) -e ".[test]"
	@touch $(VENV)/.stamp-run $@

$(VENV)/.stamp-check: pyproject.toml constraints.txt | $(PY)
	@echo "Setting up zoe, its tests and checks in $(VENV) ..."
	@$(PIP) -e ".[test,check]"
	@touch $(VENV)/.stamp-run $(VENV)/.stamp-test $@

# Clients by others live in an environment of their own: ccxt asks for exact versions of uvloop and
# idna, older than those zoe is tested with. All else is as pinned.
$(CLIENTS)/.stamp: pyproject.toml constraints.txt | $(PY)
	@echo "Setting up zoe and clients by others in $(CLIENTS) ..."
	@rm -rf $(CLIENTS)
	@$(PY) -m venv --without-pip $(CLIENTS)
	@grep -v -e '^uvloop==' -e '^idna==' constraints.txt > $(CLIENTS)/constraints.txt
	@PIP_CONSTRAINT=$(CLIENTS)/constraints.txt PIP_BUILD_CONSTRAINT=$(CLIENTS)/constraints.txt \
	  PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip --quiet --python $(CLIENTS)/bin/python \
	  install -c $(CLIENTS)/constraints.txt -e ".[test,conformance,bench]"
	@touch $@

# Some systems ship Python without ensurepip: there the environment gets its pip from the system's.
$(PY):
	@python=; for each in $(or $(PYTHON),python3.11 python3 python3.12 python3.13 python); do \
	  if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    python=$$each; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "zoe needs Python 3.11 or newer and found none." >&2; \
	  echo "hint: install it, or say where it is: make PYTHON=/path/to/python3.11 ..." >&2; \
	  exit 2; \
	fi; \
	"$$python" -m venv $(VENV) >/dev/null 2>&1 || { \
	  rm -rf $(VENV); \
	  "$$python" -m venv --without-pip $(VENV) && \
	  "$$python" -m pip --quiet --python $(PY) install pip; \
	} || { \
	  rm -rf $(VENV); \
	  echo "$$python can make no virtual environment here." >&2; \
	  echo "hint: install its venv module (on Debian: python3-venv) and see that this folder is writable." >&2; \
	  exit 2; \
	}
