# Everything a fresh clone needs; `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Trust whom the machine trusts: many networks have a certificate authority of their own.
export UV_SYSTEM_CERTS := 1

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  %-8s %s\n", $$1, $$2 }'

venv: $(STAMP) ## Create .venv with everything in it (instant the second time)

$(STAMP): pyproject.toml requirements-dev.lock requirements-bootstrap.lock
	@python=; for candidate in python3 python3.13 python3.12 python3.11; do \
	  if command -v "$$candidate" >/dev/null && \
	     "$$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "codeloom needs Python 3.11 or newer with its venv module; none of python3, python3.13, python3.12, python3.11 is that." >&2; \
	  exit 1; \
	fi; \
	[ -x $(BIN)/python ] || "$$python" -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements-dev.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-build-isolation --no-deps -e .
	@touch $@

run: venv ## Run everything, ingest REPO= (a path or URL), show answers, serve; ONCE=1 then stops
	@$(BIN)/codeloom demo $(if $(filter-out 0,$(ONCE)),--once) -- "$${REPO:-.}"

lint: venv ## Style, types and the doors between the rooms
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: venv ## Rewrite the source in the style of the house
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: lint ## Lint, then the whole suite on a real PostgreSQL and a real Valkey (TESTS= chooses)
	@$(BIN)/pytest -n auto --dist worksteal -m "not chaos and not fuzz" $(TESTS)

bench: venv ## Measure on published packages, as ratios in one run (BENCH= names one)
	@$(BIN)/python -m benchmarks $(BENCH)

chaos: venv ## Kill, freeze and confuse a running stack by schedules (SEED=, COUNT=)
	@SEED=$(SEED) COUNT=$(COUNT) $(BIN)/pytest -n 2 -m chaos $(TESTS) tests/chaos

fuzz: venv ## Hostile and random input, for longer than a test run has time
	@$(BIN)/pytest -n auto --dist worksteal -m fuzz --timeout 1800

scorecard: venv ## Precision and recall against GROUNDTRUTH= on the sources below CHECKOUTS=
	@test -n "$(GROUNDTRUTH)" -a -n "$(CHECKOUTS)" || \
	  { echo "make scorecard GROUNDTRUTH=<folder of truths> CHECKOUTS=<folder of sources>" >&2; exit 2; }
	@$(BIN)/python -m benchmarks.scorecard "$(GROUNDTRUTH)" "$(CHECKOUTS)"

clean: ## Remove the environment and every cache (never the data under CODELOOM_HOME)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find service workers graph parsers migrations tests -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help venv run lint format test bench chaos fuzz scorecard clean
