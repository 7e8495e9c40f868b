# The commands the project offers; each makes what it needs first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-fast nightly lint bench crash ha postman arduino micropython lock clean

run: $(VENV)/.installed
	@exec $(BIN)/python manage.py serve --development

# All of it, several runs side by side (tests/run.py).
test: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.run

# For the inner loop: no browser, no PostgreSQL, no other process, no whole table. ARGS="-k claim" for less.
test-fast: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.run --fast $(ARGS)

# What is long: many examples, long fleets, and servers killed by the hundred, on either database.
nightly: $(VENV)/.installed-dev
	@LONG_TESTS=1 $(BIN)/python -m tests.run
	@$(BIN)/python -m tests.live.crash --rounds 200
	@$(BIN)/python -m tests.live.crash --rounds 60 --postgres

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	@$(BIN)/python -m tests.audit

bench: $(VENV)/.installed-dev
	@$(BIN)/python -m bench $(ARGS)

# Kills the server at random moments and looks for acknowledged readings that are gone:
# make crash N=200, make crash N=30 ARGS=--postgres
N ?= 50
crash: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.live.crash --rounds $(N) $(ARGS)

# A cluster of five hosts in network namespaces of this machine (root; Debian's packages): its primary killed 50 times and
# once all else that may happen to it, under load. Half an hour; ARGS="--fault frozen --rounds 3" for less.
ha: $(VENV)/.installed-dev
	@$(BIN)/python -m tests.ha $(ARGS)

# The API for Postman. BASE_URL=https://… for another server than that of `make run`.
BASE_URL ?= http://localhost:8000
COLLECTION := build/postman/ozone-telemetry.postman_collection.json
postman: $(VENV)/.installed
	@mkdir -p $(dir $(COLLECTION))
	@$(BIN)/python manage.py postman --base-url $(BASE_URL) > $(COLLECTION).part
	@mv $(COLLECTION).part $(COLLECTION)
	@echo "$(COLLECTION): import it into Postman"

# The Arduino library with the one core inside it, as the IDE's "Add .ZIP Library" takes it.
ARDUINO := build/arduino
LIBRARY := $(ARDUINO)/OzoneTelemetry
arduino:
	@rm -rf $(LIBRARY) $(LIBRARY).zip
	@mkdir -p $(ARDUINO)
	@cp -r clients/arduino/OzoneTelemetry $(ARDUINO)
	@mkdir -p $(LIBRARY)/src/core/stores
	@cp -r clients/core/include clients/core/src $(LIBRARY)/src/core
	@cp clients/core/stores/oz_files.c clients/core/stores/oz_files.h $(LIBRARY)/src/core/stores
	@cd $(ARDUINO) && $(PYTHON) -m zipfile -c OzoneTelemetry.zip OzoneTelemetry
	@echo "$(LIBRARY).zip: Sketch, Include Library, Add .ZIP Library"

# The MicroPython client compiled, for a board with little heap. MPY_CROSS: MicroPython's compiler, of the board's version.
MPY_CROSS ?= mpy-cross
COMPILED := build/micropython-client
micropython:
	@rm -rf $(COMPILED)
	@$(PYTHON) clients/compile_micropython.py $(MPY_CROSS) $(COMPILED)
	@echo "$(COMPILED): copy what is in it to the board's /lib"

# Both locks, from pyproject.toml. No registry address may stand in them.
UV := $(BIN)/uv pip compile --universal --generate-hashes --no-header --no-annotate --quiet
lock: $(VENV)/.installed-dev
	$(UV) pyproject.toml -o requirements.txt
	$(UV) --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed: make PYTHON=python3.12 …"'
	@$(PYTHON) -m venv $(VENV) || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: $(VENV)/bin/python requirements.txt
	@echo "Installing the locked requirements…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python requirements-dev.txt
	@echo "Installing the locked requirements for development…"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $(VENV)/.installed $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache bench/results build
