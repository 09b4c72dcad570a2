# The commands people and CI use. Everything runs in .venv, made here.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help replay test test-faults test-flink check bench clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

$(INSTALLED): setup.py pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,bench]'
	touch $@

replay: $(INSTALLED)  ## install, replay seeds/, show the events
	@$(BIN)/dijla replay seeds --out out; status=$$?; \
	if [ $$status -eq 3 ]; then echo "(exit status 3: the samples hold broken records on purpose, see out/dead-letters)"; exit 0; fi; exit $$status

test: $(INSTALLED)  ## install, pass the tests
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not faults and not flink"

test-faults: $(INSTALLED)  ## what goes wrong in production: brokers and processes killed, outages, memory over time
	$(BIN)/python -m pytest -n 2 -m faults

test-flink: $(INSTALLED)  ## the pipeline on a real Flink, whose parts are killed; needs Java 17 and Maven
	$(BIN)/python -m pytest -n 2 -m flink

check: $(INSTALLED)  ## ruff, mypy --strict, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_house.py

bench: $(INSTALLED)  ## side-by-side benchmarks, medians of 5
	$(BIN)/python -m tests.bench

clean:  ## remove what was made
	rm -rf $(VENV) out build *.egg-info
