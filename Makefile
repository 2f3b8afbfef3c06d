# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv from the hashed lock.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
SERVE ?= 1
CLUES_DEMO ?= 12000
# One test process more than cores: some always wait for a disk, a browser or a killed process.
TEST_JOBS ?= $(shell expr $$(nproc) + 1)
# The prefix of the benchmarks to run; empty runs all.
ONLY ?=
# Paths in the home folder.
HOME_DIR ?= home

export MLFLOW_DISABLE_TELEMETRY := true
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test test-all check bench bench-peers pictures schema lock clean system

demo: $(VENV)/run.stamp
	$(BIN)/clues demo --home $(HOME_DIR) --clues $(CLUES_DEMO) $(if $(filter 0,$(SERVE)),--no-serve,--serve)

# Every day: all but what is marked slow. CI runs all.
test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadscope -m "not slow" $(PYTEST_ARGS)

test-all: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -n $(TEST_JOBS) --dist loadscope $(PYTEST_ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	$(BIN)/python -m bench.run --only "$(ONLY)"

# Peers pin what the project cannot live with: each has an environment of its own. Without them
# `make bench` says which comparison it did not measure. A lock names all that is needed, and not
# what its .overrides leave out: hence --no-deps.
bench-peers: .venv-fastprop/stamp .venv-triage/stamp

.venv-%/stamp: bench/peers/%.lock
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $<
	touch $@

# Debian's chromium looks at MLflow's pages and at the console: docs/pictures.
pictures: $(VENV)/dev.stamp
	$(BIN)/python -m bench.pictures
	$(BIN)/python -m bench.console_pictures

schema: $(VENV)/run.stamp
	$(BIN)/python -m cli.schemas

# The hashes stand in the lock files, the registry's address does not: pip knows its own.
lock:
	for extra in "" "--extra dev"; do \
	  uv pip compile pyproject.toml --extra install $$extra --python-version 3.11 --python-platform linux \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    -o $$( [ -z "$$extra" ] && echo requirements.lock || echo requirements-dev.lock ) || exit 1; \
	done
	for peer in fastprop triage; do \
	  uv pip compile bench/peers/$$peer.in \
	    $$( [ -f bench/peers/$$peer.overrides ] && echo --overrides bench/peers/$$peer.overrides ) \
	    --python-version 3.11 --python-platform linux \
	    --generate-hashes --no-emit-index-url --no-header --no-annotate -o bench/peers/$$peer.lock || exit 1; \
	done

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/dev.stamp: requirements-dev.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(VENV)/run.stamp $@

# What the browser's tests, the pictures and Spark want of Debian; without them their tests say so
# and skip. Needs root, and does nothing where all is there.
SYSTEM := $(if $(shell command -v chromium),,chromium) $(if $(shell command -v java),,openjdk-17-jre-headless) \
          $(if $(wildcard /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc),,fonts-noto-cjk)
system:
	$(if $(strip $(SYSTEM)),apt-get update -qq && apt-get install -y -qq --no-install-recommends $(SYSTEM))

clean:
	rm -rf $(VENV) $(HOME_DIR) build *.egg-info
