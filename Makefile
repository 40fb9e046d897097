# Both main targets do their own set-up: a fresh machine needs Python 3.11 to 3.13 and nothing else.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || echo python3)
BIN := .venv/bin

.PHONY: quickstart test slow lint format clean

quickstart: .venv/demo
	$(BIN)/bert-tf quickstart

# What the first process compiles of the packages is kept for the others, whatever the environment
# says: a process that finds nothing compiled imports TensorFlow in three times the time.
test slow: export PYTHONDONTWRITEBYTECODE =

test: .venv/test lint
	$(BIN)/python -m pytest -m "not slow" --numprocesses=2 --dist=loadfile

# A process for each room: one for all would keep every graph of theirs, and fill 19 GB.
slow: .venv/test
	@failed=; for room in "$(wildcard tests/test_*.py)" $(filter-out %__pycache__/,$(wildcard tests/*/)); do \
		$(BIN)/python -m pytest -m slow $$room || [ $$? = 5 ] || failed="$$failed $$room"; \
	done; test -z "$$failed" || { echo "failed:$$failed"; exit 1; }

lint: .venv/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: .venv/test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The mark .venv/NAME says that the extra NAME of setup.py is installed: by uv in a third of pip's time, and by pip where
# uv finds no packages, for it does not read pip's settings. Modules are compiled when they are imported, not beforehand.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
.venv/%: setup.py
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) uv && $(BIN)/uv pip install --quiet --python $(BIN)/python --editable ".[$*]" \
		|| $(PIP) --editable ".[$*]"
	touch $@

clean:
	rm -rf .venv build *.egg-info
