# One command for each thing to do. On a fresh machine each of them makes its own virtual environment.
PYTHON ?= python3
VENV ?= .venv
PYTEST_ARGS ?=

bin := $(VENV)/bin
pip := $(bin)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help demo test lint types tests clean

help:  ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

demo: $(VENV)/.installed  ## run the main job on this machine
	@$(bin)/python demo/primes.py

test: $(VENV)/.installed-for-tests  ## lint, check the types, run all tests (root: on real schedulers too)
	@tools/install-test-packages $(bin)/python
	@status=0; \
	$(bin)/ruff check . || status=1; \
	$(bin)/mypy || status=1; \
	$(bin)/pytest $(PYTEST_ARGS) || status=1; \
	exit $$status

lint: $(VENV)/.installed-for-tests  ## run ruff
	@$(bin)/ruff check .

types: $(VENV)/.installed-for-tests  ## run mypy
	@$(bin)/mypy

tests: $(VENV)/.installed-for-tests  ## run the tests that need no scheduler
	@tools/install-test-packages $(bin)/python
	@$(bin)/pytest -m "not real" $(PYTEST_ARGS)

clean:  ## remove what was made
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist

$(VENV)/.installed: pyproject.toml
	@tools/make-venv $(VENV) $(PYTHON)
	@$(pip) --editable .
	@touch $@

$(VENV)/.installed-for-tests: pyproject.toml
	@tools/make-venv $(VENV) $(PYTHON)
	@$(pip) --editable '.[test,lint,docs,examples,integrations,peers]'
	@touch $@ $(VENV)/.installed
