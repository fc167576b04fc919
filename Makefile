# Each target sets up .venv by itself; nothing is done twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DOCS := $(VENV)/.installed-docs

.PHONY: check test test-all controls release docs cards maps lint clean

check: $(STAMP)
	$(BIN)/metaflammation check

test: $(STAMP) lint
	$(BIN)/pytest -n 2 --dist worksteal -m "not slow"

test-all: $(STAMP) lint
	$(BIN)/pytest -n 2 --dist worksteal
	sh tests/other_pythons.sh
	sh tests/validate_archives.sh

# The controls of the integrated model, all of them: half an hour on two cores.
controls: $(STAMP)
	$(BIN)/pytest -n 2 --timeout 1800 --all-controls tests/test_expectations.py -k "fails_under and metaflammation"

# Every model in every form, as files that people can download, with an index and checksums: dist/models, or nothing of it.
release: $(STAMP)
	rm -rf dist/models dist/models.part && mkdir -p dist/models.part
	for form in sbml sbml-l3v1 comp antimony copasi sedml petab petab-v1 omex; do $(BIN)/metaflammation export all --to $$form -o dist/models.part || exit 1; done
	$(BIN)/python .ci/index.py dist/models.part
	mv dist/models.part dist/models

# The documentation site: build/docs/index.html. Tutorials are run; a warning, or a link that leads nowhere, is an error.
docs: $(STAMP) $(DOCS)
	$(BIN)/sphinx-build -c docs -b html -E -W --keep-going -q . build/docs
	$(BIN)/linkchecker --config docs/links.ini build/docs/index.html

# The card of each model (models/<model>/README.md) and the table of models in README.md, from the data.
cards: $(STAMP)
	$(BIN)/python docs/cards.py

# The committed network maps; needs Graphviz.
maps: $(STAMP)
	for source in models/*/*.ant; do m=$$(basename $$source .ant); \
	  $(BIN)/metaflammation map $$m -o models/$$m/$${m}_map.svg -o models/$$m/$${m}_map.png --force || exit 1; \
	  test ! -f models/$$m/$${m}_comp.xml || $(BIN)/metaflammation map $$m --overview --force \
	    -o models/$$m/$${m}_overview.svg -o models/$$m/$${m}_overview.png || exit 1; done

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,petab,fit,report,ensemble]'
	touch $@

$(DOCS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
