# Everything works from a fresh clone: each target installs what it needs into .venv first.
# It takes Python 3.11 or later; PYTHON=/path/to/python chooses another one than the first found.

BIN := .venv/bin
STAMP := .venv/.installed
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
PLUGINS := $(patsubst %/pyproject.toml,-e %,$(wildcard plugins/*/pyproject.toml))
ARGS :=
# The tests wait for servers more than they compute: more workers than cores. Who has done his takes from the others'.
WORKERS := 4
# What the tests' many processes import is compiled once.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install serve test bench lint format constraints clean

install: $(STAMP)

$(STAMP): $(PROJECTS) constraints.txt
	@python="$(PYTHON)"; test -n "$$python" || for python in python3.11 python3.12 python3.13 python3.14 python3; do \
		$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
	done; \
	echo "Installing Elsehu into .venv (once; about a minute)" && $$python -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt \
		-e '.[embedded]' $(PLUGINS) --group dev
	@touch $@

serve: $(STAMP)
	@$(BIN)/elsehu serve $(ARGS)

test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal $(ARGS)

# Measures Elsehu beside its floors in about five minutes: `make bench ARGS="--quick ingest"` for less of it.
bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Pins anew what a clean environment gets today (async-timeout: Python before 3.11.3): read the difference before you commit it.
constraints:
	rm -rf .venv && python3.11 -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[embedded]' $(PLUGINS) --group dev hatchling async-timeout
	$(BIN)/python -m pip freeze --all --exclude-editable | grep -v '^setuptools==' > constraints.txt
	@touch $(STAMP)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
