# The few commands of the README. `make help` lists them.
STACK ?= local
SWITCH ?= 0
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH ?= kills tenants neighbour
LAB := $(BIN)/python -m lab
# Simulated routers and their ledger, on the lab's host outside every zone; stacks/Pulumi.local.yaml names it too.
SIMULATOR := 172.30.0.20:7480
# Of the demo: simulated, or frr for real ones that it brings up and takes down.
ROUTERS ?= simulated
# The lab's environment (kubeconfig, tools, Pulumi), read anew by each recipe line that needs it.
WITH_LAB := environment="$$($(LAB) env)" && eval "$$environment" &&
ENVIRONMENT := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help up demo test e2e lifecycle drill faults bench image down format lock
.SUFFIXES:
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(ENVIRONMENT): requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

up: $(ENVIRONMENT) ## lab, `pulumi up` of STACK, and the six deployments of three tenants on it
	$(BIN)/python -m infra.up --check-only --stack $(STACK)
	$(LAB) up
	$(LAB) outside start routers -- $(CURDIR)/$(BIN)/python -m worker.simulator --listen $(SIMULATOR) --data .
	$(WITH_LAB) python -m infra.up --stack $(STACK) $(if $(filter 1,$(SWITCH)),--switch)

demo: $(ENVIRONMENT) ## the six deployments on Temporal's embedded dev server: no cluster, under a minute; ROUTERS=frr: on real routers
	if [ "$(ROUTERS)" = frr ]; then \
	  $(LAB) routers status > /dev/null || trap '$(LAB) routers down' EXIT; \
	  $(LAB) routers up > /dev/null; \
	  environment="$$($(LAB) routers env)"; eval "$$environment"; \
	fi; \
	$(BIN)/python -m worker.demo --routers $(ROUTERS) $(DEMO)

test: $(ENVIRONMENT) ## static checks and every test that needs no cluster
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	report="$$($(BIN)/lint-imports --no-logo)" || { echo "$$report"; exit 1; }
	$(BIN)/basedpyright
	$(BIN)/basedpyright --project pyrightconfig.tests.json
	$(BIN)/pytest --quiet --numprocesses 4 --dist loadfile # most of them wait: more processes than cores

e2e: $(ENVIRONMENT) ## the tests that need the lab (make up first)
	$(WITH_LAB) pytest -m "live and not failover and not drill" --numprocesses 3 --dist loadfile
	$(WITH_LAB) pytest -m "live and failover and not drill"

drill: $(ENVIRONMENT) ## the release set of failover drills under load, with verdicts: about 40 minutes (make up first)
	$(WITH_LAB) python -m load_tests drill --release --stack $(STACK)

faults: $(ENVIRONMENT) ## every fault proves that it takes effect and heals, every zone dies in turn (make up first)
	$(WITH_LAB) pytest -m drill

bench: $(ENVIRONMENT) ## benchmarks on the dev server: figures and verdicts, about half an hour; BENCH=NAME runs one
	for name in $(BENCH); do echo "== $$name"; $(BIN)/python -m worker.bench $$name || failed=1; done; exit $${failed:-0}

lifecycle: $(ENVIRONMENT) ## the lab comes, is repaired and goes without a trace (make down first)
	$(BIN)/pytest -m lifecycle tests/lifecycle

down: $(ENVIRONMENT) ## remove the lab and everything it left on this machine
	$(LAB) down

image: $(ENVIRONMENT) ## the worker's image as an OCI archive; PUSH=registry/repository pushes it
	$(LAB) image $(if $(PUSH),--push $(PUSH))

format: $(ENVIRONMENT) ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: $(ENVIRONMENT) ## compile the hash-pinned requirement lists from pyproject.toml
	for group in worker dev; do \
	  $(BIN)/uv pip compile --quiet pyproject.toml --group $$group --generate-hashes --no-emit-index-url \
	    --no-header --no-annotate --python-version 3.11 --output-file requirements/$$group.txt; \
	done
