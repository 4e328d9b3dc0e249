# Every target does its own set-up: it needs Python 3.11 or later, and nothing else.
PYTHON ?= python3
VENV := .venv
PEER := .venv-openleadr
BIN := $(VENV)/bin
SECONDS ?= 40

.DEFAULT_GOAL := help

.PHONY: help
help:  ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The environment is complete when its stamp is newer than the project's description.
$(VENV)/.ready: pyproject.toml
	@echo "Setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

# OpenLEADR is the peer that the tests talk to, and the official schema travels in its package. It lives in an
# environment of its own, and our code never imports it.
$(PEER)/.ready: Makefile
	@echo "Setting up $(PEER), the peer that the tests talk to …"
	@$(PYTHON) -m venv $(PEER)
	@$(PEER)/bin/python -m pip install --quiet --disable-pip-version-check 'openleadr==0.5.36'
	@touch $@

.PHONY: demo
demo: $(VENV)/.ready  ## Run a VTN and three VENs for a while, and watch them
	@$(BIN)/oadr demo --seconds $(SECONDS)

# By as many workers as there are processors, up to four; what takes long is mostly waiting for other processes.
WORKERS := --numprocesses auto --maxprocesses 4 --dist worksteal

.PHONY: test
test: $(VENV)/.ready $(PEER)/.ready  ## Run all tests
	@$(BIN)/python -m pytest $(WORKERS)

.PHONY: test-slow
test-slow: $(VENV)/.ready $(PEER)/.ready  ## Run the tests that take minutes: a minute with each real peer, long dialogues
	@$(BIN)/python -m pytest $(WORKERS) -m slow

.PHONY: search
search: $(VENV)/.ready $(PEER)/.ready  ## Search longer for counterexamples to what the core's tests claim
	@HYPOTHESIS_PROFILE=more $(BIN)/python -m pytest $(WORKERS) tests/core tests/messages tests/rules tests/wire

.PHONY: lint
lint: $(VENV)/.ready  ## Check style and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

.PHONY: rules
rules: $(VENV)/.ready $(PEER)/.ready  ## Show by which checks and tests each conformance rule is covered, and prove it
	@$(BIN)/python -m tests.rules.table --prove $(RULES)

.PHONY: bench
bench: $(VENV)/.ready $(PEER)/.ready  ## Measure, side by side with a floor or a peer
	@$(BIN)/python -m bench $(BENCH)

.PHONY: fuzz
fuzz: $(VENV)/.ready  ## Fuzz everything that takes bytes from outside, for SECONDS in all
	@$(BIN)/python -m fuzz --seconds $(SECONDS) $(FUZZ)

.PHONY: reach
reach: $(VENV)/.ready  ## Hold how much of the code the fuzz targets reach against the floors
	@$(BIN)/python -m fuzz --check

.PHONY: docs
docs: $(VENV)/.ready  ## Draw docs/machines.md from the tables of the state machines, and docs/rules.md from the rules
	@$(BIN)/python -m docs.machines > docs/machines.md
	@$(BIN)/python -m docs.rules > docs/rules.md

.PHONY: clean
clean:  ## Remove what the other targets made
	rm -rf $(VENV) $(PEER) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
