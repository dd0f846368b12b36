# Needs python3 (3.11 or newer), make and git. 'make' alone shows what there is.
PYTHON ?= python3
VENV ?= .venv
# auto takes uv where there is one; pip and uv insist.
INSTALLER ?= auto
# Handed on to pip or uv, for example an index that has CPU builds of torch and torchvision.
INSTALL_ARGUMENTS ?=
# Handed on to pytest, for example PYTEST_ARGUMENTS="-k vgg -x".
PYTEST_ARGUMENTS ?=
# Test processes side by side; each one imports torch, which takes seconds.
WORKERS ?= 2
# Which tests 'make test-all' runs; empty means every one.
MARKERS ?=

BIN := $(VENV)/bin
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install quickstart test test-all lint format types docs tables clean

# $(call environment,EXTRA...): the virtual environment with these extras; returns at once when it is there.
define environment
@command -v "$(PYTHON)" >/dev/null || { echo "No '$(PYTHON)' found. Install Python 3.11 or newer, or name one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python %s (%s) is too old: resnet-zoo needs 3.11 or newer. Name another: make PYTHON=python3.12" % (sys.version.split()[0], sys.executable))'
@"$(PYTHON)" scripts/make_environment.py --folder "$(VENV)" --installer $(INSTALLER) $(addprefix --extra ,$(1)) -- $(INSTALL_ARGUMENTS)
endef

help: ## Show this list
	@echo "make TARGET [PYTHON=python3] [INSTALLER=auto|uv|pip] [WORKERS=2]"
	@grep -E '^[a-z-]+:.*## ' Makefile | sed -E 's/^([a-z-]+):.*## /\1	/' | while IFS='	' read -r target text; do printf '  %-12s %s\n' "$$target" "$$text"; done

install: ## Make .venv and install resnet-zoo into it
	$(call environment)

quickstart: ## Train a residual network on the embedded digits (about a minute)
	$(call environment)
	@"$(BIN)/resnet-zoo" fit --config configs/quickstart.yaml

test: ## Run the default tests
	$(call environment,test)
	@"$(BIN)/python" -m pytest -n $(WORKERS) --dist loadfile $(PYTEST_ARGUMENTS)

test-all: ## Run every test, the slow ones and those that start a cluster too
	$(call environment,test)
	@"$(BIN)/python" -m pytest -n $(WORKERS) --dist loadfile -m "$(MARKERS)" $(PYTEST_ARGUMENTS)

lint: ## Check format and style
	$(call environment,dev)
	@"$(BIN)/ruff" format --check
	@"$(BIN)/ruff" check

format: ## Format the code and fix what can be fixed
	$(call environment,dev)
	@"$(BIN)/ruff" check --fix
	@"$(BIN)/ruff" format

types: ## Check the types
	$(call environment,dev)
	@"$(BIN)/mypy"

docs: ## Build the documentation into site/
	$(call environment,docs test)
	@"$(BIN)/python" docs/generate_tables.py --check
	@"$(BIN)/mkdocs" build --strict --quiet
	@echo "Open site/index.html."

tables: ## Count the networks again and write the generated tables
	$(call environment,test)
	@"$(BIN)/python" -m resnet_zoo.backbones.golden --write
	@"$(BIN)/python" docs/generate_tables.py

clean: ## Remove what make made; runs/ and data/ stay
	rm -rf -- "$(VENV)" site dist build .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './data/*' -not -path './runs/*' -prune -exec rm -rf {} +
