# The project's verbs. Everything lives in .venv; a second call only does what is out of date.
#
#   make run          install what the product needs and start it
#   make test         install everything and run the tests (PYTEST_ARGS="tests/core -k kernel" narrows them)
#   make check        formatting, lint, types and layers
#   make simulate     execution under faults (SEEDS=5000 FIRST_SEED=1)
#
# An installation is known by a stamp in .venv whose name carries a checksum of the lock it was made from, so that
# it is renewed when a lock's content changes, and only then. All paths are relative: the folder may hold spaces.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# Compiled modules make imports two to four times as fast, whatever the shell around us has switched off.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --no-deps --no-compile
# PyPI's torch for Linux expects gigabytes of CUDA libraries, which the lock leaves out; where that build arrived, the
# CPU build of the same version takes its place. PIP_EXTRA_INDEX_URL with this address saves the first download.
CPU_TORCH := https://download.pytorch.org/whl/cpu
SOURCES := core bots dashboards models

checksum = $(shell { pwd -P; cat $(1); } | cksum | cut -d ' ' -f 1)
CREATED := $(VENV)/.created-$(call checksum,/dev/null)
LIGHT := $(VENV)/.light-$(call checksum,requirements/base.txt)
FULL := $(VENV)/.full-$(call checksum,requirements/full.txt)
PACKAGE := $(VENV)/.package-$(call checksum,pyproject.toml)
# The full lock holds the light one.
ENOUGH := $(firstword $(wildcard $(FULL)) $(LIGHT))

.PHONY: help run test check install install-all bench bench-peers simulate lab screenshots commands-doc capabilities-doc clean

help:
	@sed -n 's/^#   \(make .*\)/  \1/p' Makefile
	@echo '  also: install install-all bench bench-peers simulate lab screenshots commands-doc clean'

run: install
	@exec $(BIN)/orchestrator run

test: install-all
	$(BIN)/python -m pytest $(PYTEST_ARGS)

check: install-all
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

# ---- installation ----

install: $(ENOUGH) $(PACKAGE)
	@:

install-all: $(FULL) $(PACKAGE)
	@:

# PYTHON=/path/to/python make … chooses the interpreter; else the first of these that is new enough.
$(CREATED):
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.11 python3 python3.12 python3.13); do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && found="$$python" && break; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "Python 3.11 or newer is needed, and $(if $(PYTHON),$(PYTHON) is not one,neither python3.11 nor python3 is one): install it, or name one with make PYTHON=/path/to/python." >&2; exit 1; \
	fi; \
	if ! "$$found" -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "$$found lacks the modules venv and pip: on Debian or Ubuntu, apt-get install python3-venv python3-pip provides them." >&2; exit 1; \
	fi; \
	echo "Creating $(VENV) with $$("$$found" --version)"; \
	"$$found" -m venv --clear $(VENV) && touch $@

# Only one of the two stamps stands: what the other lock pinned may have been replaced.
$(LIGHT): | $(CREATED)
	@echo "Installing the light lock into $(VENV) (about a minute)"
	@rm -f $(VENV)/.light-* $(VENV)/.full-*
	@$(INSTALL) -r requirements/base.txt
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true # some packages carry templates that are no Python
	@touch $@

$(FULL): | $(CREATED)
	@echo "Installing the full lock into $(VENV) (several minutes, 3 GB)"
	@rm -f $(VENV)/.light-* $(VENV)/.full-*
	@$(INSTALL) -r requirements/full.txt
	@$(BIN)/python -c 'import torch' 2>/dev/null || $(INSTALL) --force-reinstall --index-url $(CPU_TORCH) "$$(grep '^torch==' requirements/full.txt)"
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true # some packages carry templates that are no Python
	@touch $@

# Built after a lock (it needs setuptools), whichever of the two that was: the order of `install` and `install-all`.
$(PACKAGE): | $(CREATED)
	@rm -f $(VENV)/.package-*
	@$(INSTALL) --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 0 $(SOURCES) $(VENV)/lib/python3*/site-packages/__editable__* >/dev/null || true
	@echo "Compiling the simulation kernels (40 seconds, once)"
	@$(BIN)/python -m core.research.warm
	@touch $@

# ---- the rest ----

bench: install-all
	$(BIN)/python -m benchmarks

# The engine on a simulated loop, network and venue: SEEDS histories from FIRST_SEED on; one seed prints its history.
SEEDS ?= 1000
FIRST_SEED ?= 1
simulate: install
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first-seed $(FIRST_SEED)

bench-peers: install-all
	$(BIN)/python -m benchmarks.peers --growth

lab: install-all
	$(BIN)/python -m jupyterlab

screenshots: install-all
	ORCHESTRATOR_REQUIRE_BROWSER=1 ORCHESTRATOR_SCREENSHOTS=docs/images $(BIN)/python -m pytest -m browser $(PYTEST_ARGS)

commands-doc: install
	$(BIN)/orchestrator commands --markdown > docs/commands.md.new && mv docs/commands.md.new docs/commands.md

capabilities-doc: install
	$(BIN)/python -m core.exchanges.venues.table > docs/capabilities.md.new && mv docs/capabilities.md.new docs/capabilities.md

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* htmlcov reports
	find $(SOURCES) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
