# `make repro` sets everything up and runs the current study; `make test` sets everything up and tests Kith.
# With LOCKED=1 every package is of the version, and has the checksum, that requirements.lock names.
PYTHON ?= python3
VENV   ?= .venv
PAGES  := tests/docs/test_doc_commands.py
RUN    := PATH="$(CURDIR)/$(VENV)/bin:$$PATH"

.PHONY: setup repro test test-docs lock study adopt ui

setup: $(VENV)/.installed

$(VENV)/.installed: $(wildcard requirements*.txt) pyproject.toml
	$(PYTHON) -m venv $(VENV)
ifdef LOCKED
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' requirements.txt)"
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
else
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
endif
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

repro: setup            ## run the study in params.yaml on all cores, from whatever is already done
	$(RUN) kith download
	$(RUN) snakemake --cores all
	@echo "Results: reports/*/leaderboard.md and report.html. Compare runs: make ui"

test: setup             ## lint, types, unit and pipeline tests
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --ignore=$(PAGES)

test-docs: setup        ## run every command and every block of Python in README.md and docs/
	$(RUN) python -m pytest -n 2 --dist worksteal $(PAGES)

lock:                   ## write requirements.lock anew (pip install uv)
	$(PYTHON) .ci/lock.py

study: setup            ## choose a study: make study NAME=flickr8k
	$(RUN) kith study $(NAME)

adopt: setup            ## after DVC: let Snakemake know
	$(RUN) kith adopt

ui: setup               ## compare runs in the browser
	$(RUN) kith ui
