# KanbanAI. `make help` lists what there is.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
PYTEST_WORKERS ?= auto
E2E_BROWSER ?= /usr/bin/chromium

# Compiled modules halve the time to start; some shells forbid them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help bench up setup assets test-packages test unit test-postgres e2e chaos screenshots coverage lint style format types imports templates \
	migrations schema query-counts lock docs check clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/.base assets ## Start KanbanAI and say where it is (Ctrl-C stops it)
	@exec $(BIN)/python manage.py up

setup: $(VENV)/.dev ## Make the environment for work on KanbanAI

$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; none was found." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON to one." >&2; exit 1; }
	@echo "Making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.base: requirements/base.txt requirements/build.txt | $(VENV)/.python
	@echo "Installing requirements (about a minute)"
	@$(PIP) install --require-hashes -r requirements/base.txt -r requirements/build.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/otel.txt $(VENV)/.base
	@echo "Installing development requirements"
	@$(PIP) install --require-hashes -r requirements/base.txt -r requirements/build.txt \
		-r requirements/dev.txt -r requirements/otel.txt
	@touch $@

assets: $(VENV)/.base ## Fetch and collect the files that browsers load
	@$(BIN)/python tools/assets.py

test-packages: $(VENV)/.dev
	@$(BIN)/python tools/assets.py --tests

test: test-packages ## Run the tests (PostgreSQL with DATABASE_URL, else SQLite)
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(ARGS)

# Without the tests that start agents, workers and servers, and without the endless requests of the
# contract tests.
UNIT = tests/accounts tests/architecture tests/boards tests/contract tests/core tests/dashboard \
	tests/orgs tests/projects $(addprefix --ignore tests/contract/test_,schemathesis.py \
	hostile_rows.py generated_client.py pages.py) --ignore tests/core/test_git.py --ignore tests/core/logs

unit: test-packages ## Run the quick tests: operations, rules, REST, pages
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(UNIT) $(ARGS)

test-postgres: test-packages ## Run the tests on the PostgreSQL server of this machine
	@DATABASE_URL=$${DATABASE_URL:-postgres://postgres@127.0.0.1:5432/kanbanai} \
		$(BIN)/python -m pytest -n $(PYTEST_WORKERS) $(ARGS)

e2e: test-packages assets ## Run the journeys in a real browser (E2E_BROWSER)
	@E2E_BROWSER=$(E2E_BROWSER) $(BIN)/python -m pytest -m e2e $(ARGS)

CHAOS_SECONDS ?= 600

chaos: test-packages assets ## Kill processes at random while clients follow (CHAOS_SECONDS, CHAOS_SEED)
	@CHAOS_SECONDS=$(CHAOS_SECONDS) $(BIN)/python -m pytest -s -m chaos tests/chaos $(ARGS)

screenshots: test-packages assets ## Draw docs/screenshots anew (ARGS=<folder>: every page, to look at)
	@PYTHONPATH=. $(BIN)/python tools/screenshots.py $(ARGS)

bench: test-packages assets ## Measure everything, print a table (ARGS=--quick or --smoke: less)
	@$(BIN)/python -m bench $(ARGS)

bench-%: test-packages assets
	@$(BIN)/python -m bench $* $(ARGS)

coverage: test-packages ## Run the tests and show what they leave out
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --cov --cov-report=term $(ARGS)

lint: style imports types templates migrations ## Check style, types, layers, templates and migrations

style: $(VENV)/.dev ## Check style
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo "run make format" >&2; exit 1; }

format: $(VENV)/.dev ## Put code and templates into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/djlint templates --reformat --quiet

types: $(VENV)/.dev ## Check types
	@$(BIN)/mypy

imports: $(VENV)/.dev ## Check that apps only use the apps below them
	@$(BIN)/lint-imports

templates: $(VENV)/.dev ## Check templates
	@$(BIN)/djlint templates --lint --quiet

migrations: $(VENV)/.dev ## Check that every change of a model has its migration
	@DJANGO_SETTINGS_MODULE=kanbanai.settings.test $(BIN)/python manage.py makemigrations --check --dry-run

schema: $(VENV)/.dev ## Rewrite the stored OpenAPI document
	@UPDATE_SCHEMA=1 $(BIN)/python -m pytest -q tests/contract $(ARGS)

query-counts: $(VENV)/.dev ## Rewrite the stored numbers of SQL statements
	@UPDATE_QUERY_COUNTS=1 $(BIN)/python -m pytest -q -k test_query_counts $(ARGS)

lock: $(VENV)/.dev ## Resolve requirements/*.in and package.json anew
	@for name in base build dev flower otel; do \
		$(BIN)/uv pip compile --quiet --upgrade --python-version 3.11 --generate-hashes --no-header \
			--annotation-style line --no-emit-index-url --no-emit-find-links \
			requirements/$$name.in -o requirements/$$name.txt || exit 1; done
	@PATH="$(abspath $(BIN)):$$PATH" npm install --package-lock-only --no-progress
	@$(BIN)/python tools/lockfile.py

# Each page is written beside its place first, so that a failure leaves what was there.
docs: $(VENV)/.dev ## Rewrite the generated references
	@for name in settings events rest; do \
		DJANGO_SETTINGS_MODULE=kanbanai.settings.test $(BIN)/python manage.py $${name}_reference \
			> docs/reference/$$name.md.new \
			&& mv docs/reference/$$name.md.new docs/reference/$$name.md \
			|| { rm -f docs/reference/$$name.md.new; exit 1; }; done

check: lint test e2e ## Everything that must pass before a change lands

clean: ## Remove what was built; data and the environment stay
	@rm -rf build .coverage htmlcov .mypy_cache .ruff_cache .import_linter_cache
