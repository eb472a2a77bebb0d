# Everything runs in .venv, which is made and kept up to date by whichever target needs it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
INSTALL := -m pip install --quiet
PACKAGES := api chain keys verifier
SOURCES = $(shell find $(PACKAGES) -type f -not -name '*.pyc')
DATA ?=

.PHONY: help setup demo test test-long lint bench vectors native lock clean browser

help:
	@echo 'make demo [DATA=trips.csv]  a city ledger from activities to a proof checked elsewhere'
	@echo 'make test                   the tests (under 8 minutes)'
	@echo 'make test-long              the longer runs'
	@echo 'make lint                   style, types and layering'
	@echo 'make bench                  reductions per second, proof sizes, against bare SHA-256'
	@echo 'make vectors                the test vectors of docs/vectors again'
	@echo 'make native                 the compiled kernel into .venv, where there is a Rust toolchain'
	@echo 'make lock                   the hash-locked requirements again, from requirements/*.in'
	@echo 'make clean                  away with environments, caches and builds'

setup: .venv/.ready

demo: .venv/.ready .venv-verify/.ready
	$(BIN)/python demo/demo.py $(if $(DATA),--data "$(DATA)")

# Where the compiled kernel is there, what touches it is tested without it as well.
IF_NATIVE = if $(BIN)/python -c 'import carbon_tally_native' 2>/dev/null; then TALLY_KERNEL=python
KERNEL_TESTS = tests/native $(patsubst %,tests/chain/test_%.py,lots merkle register sequencer) \
	tests/verifier/test_audit.py

test: .venv/.ready js/node_modules/.ready browser
	$(BIN)/pytest -q -n 3 -m "not long"
	$(IF_NATIVE) $(BIN)/pytest -q -n 3 -m "not long" $(KERNEL_TESTS); fi

test-long: .venv/.ready js/node_modules/.ready
	$(BIN)/pytest -q -n 2 -m long --timeout=0 --hypothesis-profile=long
	$(IF_NATIVE) $(BIN)/pytest -q -n 3 -m "not long"; fi

lint: .venv/.ready js/node_modules/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/node js/node_modules/typescript/bin/tsc -p js

bench: .venv/.ready
	PYTHONPATH=.:tests $(BIN)/python -m bench

vectors: .venv/.ready
	PYTHONPATH=.:tests $(BIN)/python -m support.vectors

# The same calls and bytes as the Python, faster; native/crates.txt locks what it is built of.
native: | .venv/.ready
	$(BIN)/python native/lock.py
	$(BIN)/maturin build --quiet --release --locked --manifest-path native/Cargo.toml \
		--interpreter $(BIN)/python --out build/native
	$(PIP) $(BIN)/python $(INSTALL) --no-deps --no-index --force-reinstall build/native/*.whl

# The project, from its checkout, with all that tests, linters and builds need.
.venv/.ready: requirements/dev.txt requirements/merkletools.txt pyproject.toml | .venv/bin/python
	$(PIP) $(BIN)/python $(INSTALL) --require-hashes -r requirements/dev.txt
	$(PIP) $(BIN)/python $(INSTALL) --require-hashes --no-deps --no-build-isolation -r requirements/merkletools.txt
	$(PIP) $(BIN)/python $(INSTALL) --no-deps --no-build-isolation --no-index --editable .
	@touch $@

# What the JavaScript package stands on, and its type checker; Node and npm are wheels in .venv.
js/node_modules/.ready: js/package.json js/package-lock.json | .venv/.ready
	$(BIN)/npm ci --prefix js
	@touch $@

# One test runs in a browser: Debian's, where there is none yet and root can install it.
browser:
	@command -v chromium >/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && \
			DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends chromium; \
		else \
			echo 'Chromium is missing: install it first (on Debian, the package chromium)' >&2; \
			exit 1; \
		fi; }

# The project as a checker has it: its wheel and its two dependencies, not so much as pip beside them.
.venv-verify/.ready: private INSTALL = -m pip --python .venv-verify/bin/python install --quiet
.venv-verify/.ready: requirements/verify.txt build/.wheel | .venv-verify/bin/python
	$(PIP) $(BIN)/python $(INSTALL) --require-hashes -r requirements/verify.txt
	$(PIP) $(BIN)/python $(INSTALL) --no-deps --no-index --force-reinstall build/*.whl
	@touch $@

# build/ goes first: setuptools would pack what an earlier build left there.
build/.wheel: pyproject.toml $(SOURCES) | .venv/.ready
	rm -rf build
	$(PIP) $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir build .
	@touch $@

PYTHON = $(firstword $(foreach name,python3.11 python3 python3.12 python3.13 python3.14,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(name))))

# Debian keeps what venv needs in a package of its own, python3-venv.
.venv/bin/python .venv-verify/bin/python .venv-lock/bin/python: private ENVIRONMENT = $(@:/bin/python=)
.venv-verify/bin/python: private VENV_FLAGS = --without-pip
.venv/bin/python .venv-verify/bin/python .venv-lock/bin/python:
	@[ -n "$(PYTHON)" ] || { echo 'Python 3.11 or later is needed; name it with PYTHON=…' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y python3-venv; \
		else \
			echo 'Python lacks venv: install it first (on Debian or Ubuntu, the package python3-venv)' >&2; \
			exit 1; \
		fi; }
	rm -rf $(ENVIRONMENT)
	$(PYTHON) -m venv $(VENV_FLAGS) $(ENVIRONMENT)

COMPILE = env -u PIP_FIND_LINKS .venv-lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe \
	--strip-extras --no-header --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
LOCK_PIP = env -u PIP_FIND_LINKS .venv-lock/bin/python -m pip

# merkletools names a dependency that it does not need and that no longer builds: it is locked alone.
lock: | .venv/.ready .venv-lock/bin/python
	$(PIP) $(LOCK_PIP) install --quiet pip-tools==7.6.2
	$(COMPILE) -o requirements/verify.txt requirements/verify.in
	$(COMPILE) -c requirements/verify.txt -o requirements/ledger.txt requirements/ledger.in
	$(COMPILE) -c requirements/ledger.txt -o requirements/service.txt requirements/service.in
	$(COMPILE) -c requirements/service.txt -o requirements/dev.txt requirements/dev.in
	$(COMPILE) -o requirements/foreign.txt requirements/foreign.in
	rm -rf build/lock
	$(PIP) $(LOCK_PIP) download --quiet --no-deps --no-binary :all: --dest build/lock \
		-r requirements/merkletools.in
	printf '%s \\\n    %s\n' "$$(grep -v '^#' requirements/merkletools.in)" \
		"$$($(LOCK_PIP) hash build/lock/* | tail -n 1)" > requirements/merkletools.txt
	rm -rf build/lock
	$(BIN)/npm update --package-lock-only --prefix js

clean:
	rm -rf js/node_modules native/target .venv .venv-verify .venv-lock .venv-foreign build dist *.egg-info .hypothesis .import_linter_cache \
		.mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
