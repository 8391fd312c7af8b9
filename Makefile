# `make run` and `make test` are all a newcomer needs; CONTRIBUTING.md names the rest.
.DEFAULT_GOAL := run
.PHONY: run test test-fleet cover bench bench-fleet lint fmt docs lock .venv-for-tests

BIN := .venv/bin
# An environment knows the path it was made at, so that a moved checkout needs a new one.
HERE := $(shell printf %s "$(CURDIR)" | cksum | cut -d ' ' -f 1)
RUN := .venv/run-$(HERE)
DEV := .venv/dev-$(HERE)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Only asked when an environment is to be made, so that it costs later runs nothing.
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo "$$python" && break; done)

define environment
@$(BIN)/pip --version >/dev/null 2>&1 || { \
	python="$(PYTHON)"; \
	test -n "$$python" || { echo "feedsvc needs Python 3.11, 3.12 or 3.13 with its venv module (on Debian: python3 and python3-venv). Install one, or name it: make PYTHON=/path/to/python" >&2; exit 1; }; \
	echo "Making .venv with $$($$python --version)"; \
	"$$python" -m venv --clear .venv; \
}
@echo "Installing what $(1) pins"
@$(PIP) --require-hashes -r $(1)
@$(PIP) --no-deps --no-build-isolation -e .
endef

# exec, so that a signal meant for feedsvc reaches it and no shell stands between.
run: $(RUN)
	@exec $(BIN)/feedsvc run

test: $(DEV)
	@.ci/check

# Several machines on one, and what may befall them: minutes, so apart from the check above.
test-fleet: $(DEV)
	@.ci/check-fleet

# Tracing takes a third more time, which the check of every change does without.
cover: $(DEV)
	@.ci/check --cov --cov-report=term

.venv-for-tests: $(DEV)

bench: $(DEV)
	@exec $(BIN)/python -m benchmarks

bench-fleet: $(DEV)
	@exec $(BIN)/python -m benchmarks fleet simulate

lint: $(DEV)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

fmt: $(DEV)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# What is written from the code, and the pictures of README; both are kept in git.
docs: $(DEV)
	$(BIN)/python -m feedsvc.cli.reference docs/reference
	$(BIN)/python -m tests.docs.pictures docs/images

$(RUN): requirements.lock pyproject.toml
	$(call environment,requirements.lock)
	@touch $@

# What the tests need holds all that the program needs.
$(DEV): tests/requirements.lock requirements.lock pyproject.toml
	$(call environment,tests/requirements.lock)
	@touch $(RUN) $@

# Asks the index that uv is set up for and writes down hashes, but never where they came from.
UV ?= uv
PIN := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
LOCK := $(PIN) pyproject.toml --group build
lock:
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --upgrade --group dev --constraint requirements.lock --output-file tests/requirements.lock
	$(PIN) --upgrade --output-file tests/pywb.lock tests/pywb.in
	$(PIN) --upgrade --output-file tests/s3.lock tests/s3.in
