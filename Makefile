# Every target works as the first command in a fresh clone: .venv is created on demand.
SHELL := /bin/sh
PYTHON := .venv/bin/python
STAMP := .venv/.installed
SOURCES := $(wildcard dispatcher workers tests bench)
LUA_FOLDERS := $(wildcard dispatcher workers lua_scripts tests)
# Processes that run tests. Most tests wait more than they compute, so there are more of them than two cores.
PROCESSES ?= 3
BY_TEST := --numprocesses $(PROCESSES) --dist worksteal
# A file stays in one process, as its tests share servers and pools; in the given order the long files do not come last.
BY_FILE := --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help venv demo test check lint luacheck bench fuzz format clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	@# A venv that still runs is kept: reinstalling into it is quicker and does not pull it from under a running pool.
	@$(PYTHON) -c 'import pip' 2>/dev/null || .ci/make_venv
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

venv: $(STAMP)  ## create .venv with lualoft and its development tools

demo: $(STAMP)  ## check a shipped file of login attempts through queue and workers
	@.venv/bin/lualoft demo

test: check  ## everything: check, integration and acceptance tests
	$(PYTHON) -m pytest $(BY_FILE) -m 'not alone' $(wildcard tests/integration tests/acceptance)
	@# What measures promptness has the machine to itself.
	$(PYTHON) -m pytest -m alone $(wildcard tests/integration tests/acceptance)

check: lint luacheck  ## format, lint, types, unit and conformance tests; a minute or two
	$(PYTHON) -m pytest $(BY_TEST) $(wildcard tests/unit tests/conformance)

lint: $(STAMP)  ## ruff and mypy
	.venv/bin/ruff format --check $(SOURCES)
	.venv/bin/ruff check $(SOURCES)
	.venv/bin/mypy

luacheck:  ## lint the Lua files; needs Debian's package lua-check
	@if command -v luacheck >/dev/null; then \
		find $(LUA_FOLDERS) -name '*.lua' | sort | xargs --no-run-if-empty luacheck --quiet; \
	else \
		echo "luacheck is missing, the Lua files were not checked: sudo apt-get install lua-check" >&2; \
		test "$$CI" != true; \
	fi

bench: $(STAMP)  ## measure against plain RQ, as tables
	@$(PYTHON) -m bench

fuzz: $(STAMP)  ## give every decoder more than two million broken inputs; some minutes
	$(PYTHON) -m tests.fuzz

format: $(STAMP)  ## format the Python files and fix what ruff can fix
	.venv/bin/ruff format $(SOURCES)
	.venv/bin/ruff check --fix $(SOURCES)

clean:  ## remove .venv and every cache
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find $(wildcard $(SOURCES)) -name __pycache__ -type d -prune -exec rm -rf {} +
