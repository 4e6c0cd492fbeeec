# Two commands do everything: `make run` and `make test`. Both install what they need into .venv and web/node_modules.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NPM := npm --prefix web --no-audit --no-fund

.PHONY: run test check bench web lock clean

## run: install, build the pages, migrate and seed the database, start the server
run: $(VENV)/.run web/dist/index.html
	@$(BIN)/python run.py serve

## test: everything, browser and Postgres included
test: $(VENV)/.dev web/dist/index.html
	@$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -m 'not realtime' -n auto --maxprocesses=4 --dist worksteal
	$(BIN)/python -m pytest -m realtime -n 2 --dist loadfile

## check: formatting, lint, types, import contract, front-end types and tests
check: $(VENV)/.dev web/node_modules/.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(NPM) run --silent check

## bench: latency, capacity and recognition figures (docs/benchmarks.md)
bench: $(VENV)/.dev
	$(BIN)/python -m bench

## lock: resolve the dependencies again
lock: $(VENV)/.dev
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --extra offline pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-header --no-annotate --all-extras --group dev pyproject.toml -o requirements/dev.lock

clean:
	rm -rf $(VENV) web/node_modules web/dist build

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Parley needs Python 3.11 or newer, this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)

# Whoever has the development lock has all that running needs.
$(VENV)/.run: requirements/run.lock | $(VENV)/bin/python
	@test -e $(VENV)/.dev || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.lock
	@touch $@

$(VENV)/.dev: requirements/dev.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@touch $@ $(VENV)/.run

web/node_modules/.stamp: web/package-lock.json
	$(NPM) ci --silent
	@touch $@

web/dist/index.html: web/node_modules/.stamp $(shell find web/src web/public web/index.html web/vite.config.ts web/tsconfig.json web/package.json -type f 2>/dev/null)
	$(NPM) run --silent build

web: web/dist/index.html
