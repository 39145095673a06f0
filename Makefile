# `make` prints the targets. Both `make demo` and `make test` work in a fresh clone.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
  --generate-hashes --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help demo test chaos bench bench-compare schema lock

help: ## Print this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Run the product with a sandbox Jira; ONCE=1 ends after one ticket.
	@$(BIN)/python manage.py demo $(if $(ONCE),--once)

test: $(INSTALLED) ## Run all tests on PostgreSQL, or on the database in DATABASE_URL.
	@$(BIN)/python -m pytest -n auto --dist loadfile

chaos: $(INSTALLED) ## Create N tickets (500) during faults, then check the invariants.
	@$(BIN)/python -m development.chaos --tickets $(or $(N),500) --seed $(or $(SEED),1) $(CHAOS_OPTIONS)

bench: $(INSTALLED) ## Measure the speed, and draw var/bench.svg.
	@mkdir -p var
	@$(BIN)/python -m development.bench --json var/bench.json --chart var/bench.svg $(BENCH_OPTIONS)

bench-compare: $(INSTALLED) ## Measure the speed beside that of the commit REV (HEAD~1).
	@$(BIN)/python -m development.bench.compare $(or $(REV),HEAD~1) $(BENCH_OPTIONS)

schema: $(INSTALLED) ## Write docs/openapi.yaml and its examples after a change of the API.
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml
	@RECORD_EXAMPLES=1 $(BIN)/python -m pytest -q killthenoise/tests/test_openapi_examples.py
	@$(BIN)/python manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

lock: $(INSTALLED) ## Pin the newest versions that requirements/*.in allow, with hashes.
	$(BIN)/pip install --quiet uv
	$(COMPILE) requirements/runtime.in -o requirements/runtime.txt
	$(COMPILE) requirements/test.in -o requirements.txt
	$(COMPILE) requirements/lint.in -o requirements/lint.txt

$(INSTALLED): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "KillTheNoise needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@
