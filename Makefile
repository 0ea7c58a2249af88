# Two commands do all the set-up: `make serve` runs a node, `make test` passes the tests.

PYTHON ?= python3
BIN := .venv/bin
DATA ?= data

.PHONY: serve test ci lint clean

serve: $(BIN)/.installed
	$(BIN)/chatnode --data $(DATA) serve

test: $(BIN)/.installed-dev lint
	$(BIN)/pytest -q

# Everything, the long tests too; what has to pass before a change lands.
ci: $(BIN)/.installed-dev lint
	$(BIN)/pytest -q -m ""

lint: $(BIN)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check chatnode tests benchmarks examples
	$(BIN)/lint-imports
	$(BIN)/pyright

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist
