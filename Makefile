# Two commands do all the set-up: `make serve` runs a node, `make test` passes the tests.

PYTHON ?= python3
BIN := .venv/bin
PYRIGHT = $(BIN)/pyright --pythonpath $(BIN)/python
DATA ?= data

.PHONY: serve test slow lint style docs onefile directory deb clean

# By the environment, which takes any name as it is.
serve: export CHATNODE_DATA = $(DATA)
serve: $(BIN)/.installed
	$(BIN)/chatnode serve

# Many containers keep modules from being kept compiled; then each process that a test starts compiles them all.
test slow: export PYTHONDONTWRITEBYTECODE =

# pyright works beside the tests; what it finds is said after them, where it is seen.
# The files with few but long tests come early in the alphabet, and must not be left for the end. A worker that a test
# ends is not replaced: with the files all given out, xdist would wait for the new one for ever.
test: style
	@said=$$(mktemp); $(PYRIGHT) > "$$said" 2>&1 & types=$$!; \
	$(BIN)/pytest -q -n auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0; tests=$$?; \
	wait $$types; types=$$?; echo $(PYRIGHT); cat "$$said"; rm "$$said"; \
	[ $$tests = 0 ] && [ $$types = 0 ]

# The tests of many seconds each: kills, crashes, floods; and all examples of the properties (tests/quick.py). A worker
# keeps neighbours, which share a node or wait for the same packages; who is done takes of what others have left.
slow: $(BIN)/.installed-dev
	$(BIN)/pytest -q -m "slow or hypothesis" -n auto --dist worksteal --max-worker-restart 0

# What is written from the code: a test compares.
docs: $(BIN)/.installed-dev
	$(BIN)/python -m chatnode.config_file > config.toml
	$(BIN)/python -m chatnode.reference.commands > docs/commands.md
	$(BIN)/python -m chatnode.reference.api docs/plugins/reference.md
	$(BIN)/python -m chatnode.testing.reference docs/plugins/reference.md
	$(BIN)/python -m chatnode.reference.views docs/embedding.md
	$(BIN)/python -m chatnode.embed.generate > chatnode/embed/_calls.py

# What people install without a Python of their own, into dist/ (docs/adr/0048-one-file.md).
onefile directory deb: $(BIN)/.installed
	$(BIN)/python packaging/build.py $@

lint: style
	$(PYRIGHT)

style: $(BIN)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check chatnode plugins tests benchmarks examples packaging
	$(BIN)/lint-imports

$(BIN)/.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist
