# `make run` starts the dashboard, `make test` proves it, `make` is the quick loop before a commit.
# pip is called by its name alone: where packages come from is the machine's pip configuration.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := check

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of `run`: spans of the demo (small, medium, a number) or empty. Of `bench`: 10M for the large ledgers too.
SIZE ?= small
ENGINES_HOME ?= .venvs

.PHONY: check run test slow bench format setup setup-dev browser postgres nginx oidc collector spark-setup pins clean

check: setup-dev  ## format, lint, types, layers, fast tests: about a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -q -m "not slow and not browser"

run: setup  ## the dashboard on demo data, or on what the ledger holds
	if [ "$(SIZE)" != empty ]; then $(BIN)/python -m core demo --if-empty --size $(SIZE); fi
	exec $(BIN)/python -m core serve

test: setup-dev browser postgres nginx oidc collector  ## everything but the simulations
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

slow: setup-dev  ## the simulations: false alarms, power, large worlds
	$(BIN)/pytest -m slow

bench: setup-dev browser  ## rates, times and memory on this machine; SIZE=10M for the large ledgers too
	if [ "$(SIZE)" = 10M ]; then $(BIN)/python -m tests.bench 0.3M 1M 10M; else $(BIN)/python -m tests.bench; fi

format: setup-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

pins:  ## requirements.txt and docs/licences.md anew from requirements.in
	$(PYTHON) -m venv $(VENV)/pins
	$(VENV)/pins/bin/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	$(VENV)/pins/bin/uv pip compile requirements.in --output-file requirements.txt --generate-hashes --universal --python-version 3.11 --annotation-style line --custom-compile-command "make pins" --no-emit-index-url --quiet
	$(VENV)/pins/bin/uv pip compile requirements-spark.in --constraint requirements.txt --output-file requirements-spark.txt --generate-hashes --universal --python-version 3.11 --annotation-style line --custom-compile-command "make pins" --no-emit-index-url --quiet
	$(MAKE) setup-dev
	$(BIN)/python -m tests.licences

setup: $(VENV)/.setup-done
setup-dev: $(VENV)/.setup-dev-done

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	  echo "Trueup needs Python 3.11 or newer; '$(PYTHON)' is older or missing. Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || {
	  echo "Python's venv module is missing. Install it, on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.setup-done: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.setup-dev-done: $(VENV)/.setup-done pyproject.toml
	@# The group is read here because Debian's pip is older than pip's own --group.
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["dev"], sep="\n")' > $(VENV)/dev.txt
	@# Apart from requirements.txt: beside hashes pip wants every package hashed.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(VENV)/dev.txt
	touch $@

browser:
	@if command -v chromium >/dev/null; then exit 0; fi
	if ! command -v apt-get >/dev/null; then echo "The browser tests need chromium: install it and put it on PATH." >&2; exit 1; fi
	as_root=""; if [ "$$(id -u)" != 0 ]; then as_root="sudo -n"; fi
	if $$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq chromium; then exit 0; fi
	echo "The browser tests need chromium. Install it: apt-get install chromium" >&2; exit 1

postgres:  ## the server that the tests of SQL sources start themselves; no cluster of the system is made
	@if command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then exit 0; fi
	if ! command -v apt-get >/dev/null; then echo "Without PostgreSQL the tests of SQL sources are skipped." >&2; exit 0; fi
	as_root=""; if [ "$$(id -u)" != 0 ]; then as_root="sudo -n"; fi
	$$as_root mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" | $$as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
	if $$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq postgresql; then exit 0; fi
	echo "Without PostgreSQL the tests of SQL sources are skipped. Install it: apt-get install postgresql" >&2

spark-setup:  ## what the tests of other engines in `make slow` run: Spark (about 450 MB, needs Java 17), its client, ClickHouse's engine
	@for one in spark clickhouse spark-client; do
	  [ -x $(ENGINES_HOME)/$$one/bin/python ] || $(PYTHON) -m venv $(ENGINES_HOME)/$$one
	done
	for one in spark clickhouse; do
	  $(PYTHON) -c 'import sys, tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"][sys.argv[1]], sep="\n")' $$one > $(ENGINES_HOME)/$$one/pins.txt
	  $(ENGINES_HOME)/$$one/bin/python -m pip install --quiet --disable-pip-version-check -r $(ENGINES_HOME)/$$one/pins.txt
	done
	$(ENGINES_HOME)/spark-client/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-spark.txt
	@command -v java >/dev/null || echo "Spark needs Java 17 to run. Install it: apt-get install openjdk-17-jre-headless" >&2

nginx:  ## the proxy that the test of docs/recipes/nginx starts itself; none of the system is started
	@if command -v nginx >/dev/null || [ -x /usr/sbin/nginx ]; then exit 0; fi
	if ! command -v apt-get >/dev/null; then echo "Without nginx its recipe is not tested." >&2; exit 0; fi
	as_root=""; if [ "$$(id -u)" != 0 ]; then as_root="sudo -n"; fi
	if $$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 $$as_root apt-get install -y -qq nginx-light; then exit 0; fi
	echo "Without nginx its recipe is not tested. Install it: apt-get install nginx-light" >&2

oidc:  ## the OpenID provider that tests of signing in start; outside the repository, as its lock file says
	@cache="$${OIDC_PROVIDER_DIR:-$$HOME/.cache/trueup/oidc}"
	if ! command -v npm >/dev/null; then echo "Without node and npm signing in is not tested." >&2; exit 0; fi
	mkdir -p "$$cache" && cp tests/oidc/package.json tests/oidc/package-lock.json "$$cache"
	if cd "$$cache" && npm ci --ignore-scripts --no-audit --no-fund --silent; then exit 0; fi
	echo "oidc-provider could not be installed into $$cache, so signing in is not tested." >&2

collector: setup-dev  ## rotel, which stands between SDK and app in the tests of docs/recipes/rotel
	@if $(BIN)/python -c 'import importlib.util, sys; sys.exit(importlib.util.find_spec("rotel") is None)'; then exit 0; fi
	pin="$$($(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]["collector"])')"
	if $(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: "$$pin"; then exit 0; fi
	echo "$$pin has no wheel for this machine, so the tests with a real Collector are skipped." >&2

clean:
	rm -rf $(VENV) .venvs .pytest_cache .ruff_cache .mypy_cache .hypothesis
