# Everything a fresh machine needs: CPython 3.11 and make.
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo docs test check chaos fuzz setup benchmark clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Auricle needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/auricle study run demo --out runs/demo

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Two processes of one thread each are faster than one of two; a file's tests stay together, for what they share.
test: check docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# At length, each night; the tests hold short versions of both (tests/README.md).
chaos: $(STAMP)
	$(BIN)/python -m pytest tests/chaos --nightly

fuzz: $(STAMP)
	$(BIN)/python -m pytest tests/fuzz --nightly

clean:
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache
