# `make help` lists what can be made. Needed beforehand: make, and Python 3.11 or newer with its venv module.

SHELL := /bin/sh
SUITABLE := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(or $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUITABLE)' 2>/dev/null && echo $$p && break; done),python3)
BIN := .venv/bin
AUDIT := .venv.audit/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check --constraint constraints.txt
# The files that exist when .venv holds what LightWork needs, and what its developers need.
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev

.PHONY: help venv demo test torture format docs bench fuzz audit clean
.DEFAULT_GOAL := help

help: ## Show this list
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '%-14s %s\n' "$$target" "$$text"; done

venv: $(INSTALLED_DEV) ## Make .venv with LightWork and everything that its tests need

demo: $(INSTALLED) ## Edit six sample photos on this computer: no key, no network, nothing left running
	@$(BIN)/lightwork demo

test: $(INSTALLED_DEV) ## Check style, types and layers, then run all tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --numprocesses auto

torture: $(INSTALLED_DEV) ## Run the long form of the tests that kill and of those that try random steps; prints figures
	$(BIN)/pytest --torture -m torture --timeout 0 --capture no

format: $(INSTALLED_DEV) ## Put the code into its style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(INSTALLED_DEV) ## Write docs/settings.md anew from engine/settings.py, and the recorded conversation of docs/bot.md
	$(BIN)/python tests/docs/settings_page.py > docs/settings.md
	$(BIN)/python tests/docs/recorded.py

bench: $(INSTALLED_DEV) ## Measure, and write benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

fuzz: $(INSTALLED_DEV) ## Try a million odd pictures, texts, buttons and names on all that reads what strangers send
	nice $(BIN)/python tests/fuzz/fuzzing.py

audit: ## Ask PyPI for known vulnerabilities of all pinned versions; fails where one of them cannot be asked for
	@[ -x $(AUDIT)/python ] || $(PYTHON) -m venv .venv.audit
	@$(AUDIT)/python -m pip install -qq --disable-pip-version-check --upgrade pip-audit
	$(AUDIT)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

clean: ## Remove .venv, caches and builds; data and photos stay
	rm -rf .venv .venv.audit build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c '$(SUITABLE)' 2>/dev/null || { \
		echo "LightWork needs Python 3.11 or newer. If it is not on the PATH: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing LightWork into .venv (takes a minute) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
		echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@$(PIP) --editable .
	@touch $@

$(INSTALLED_DEV): $(INSTALLED)
	@echo "Adding what the tests need ..."
	@$(PIP) --editable '.[dev]'
	@touch $@
