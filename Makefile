# Two commands do all the set-up: `make serve` runs a node, `make test` passes the tests.

PYTHON ?= python3
BIN := .venv/bin
DATA ?= data

.PHONY: serve test slow lint docs clean

# By the environment, which takes any name as it is.
serve: export CHATNODE_DATA = $(DATA)
serve: $(BIN)/.installed
	$(BIN)/chatnode serve

# Many containers keep modules from being kept compiled; then each process that a test starts compiles them all.
test slow: export PYTHONDONTWRITEBYTECODE =

test: $(BIN)/.installed-dev lint
	$(BIN)/pytest -q -n auto --dist loadfile

# The tests of many seconds each: kills, crashes, floods; and all examples of the properties (tests/quick.py).
slow: $(BIN)/.installed-dev
	$(BIN)/pytest -q -m "slow or hypothesis" -n auto

# What is written from the code: a test compares.
docs: $(BIN)/.installed-dev
	$(BIN)/python -m chatnode.config > config.toml
	$(BIN)/python -m chatnode.transport.reference > docs/commands.md
	$(BIN)/python -m chatnode.cli.api_reference docs/plugins/reference.md

lint: $(BIN)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check chatnode plugins tests benchmarks examples
	$(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist
