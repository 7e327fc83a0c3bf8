.PHONY: help demo test lint bench trials migration clean

# One process more than there are processors: a third of the time of a test is waiting, for a client, a page, a database.
# At most eight: each may take a gigabyte, and the tests' PostgreSQL has 200 connections.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 8 ? n + 1 : 8)))

help:  ## what can be made
	@sed -n 's/^\([a-z]*\):.*  ## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

demo:  ## the whole system on a feeder of its own; ARGS="--help" tells more
	@scripts/venv.sh demo
	.venv/bin/sep2 demo $(ARGS)

test:  ## every test that is quick
	@scripts/venv.sh test
	@scripts/postgres.sh
	@scripts/chromium.sh
	PYTHONDONTWRITEBYTECODE= .venv/bin/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint:  ## style and types
	@scripts/venv.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

bench:  ## measurements, written to docs/benchmarks.md
	@scripts/venv.sh test
	@scripts/postgres.sh
	.venv/bin/python -m tests.benchmarks $(ARGS)

trials:  ## the long proofs, with their figures written to docs/
	@scripts/venv.sh test
	@scripts/postgres.sh
	.venv/bin/pytest tests/trials --timeout=3600 $(ARGS)

migration:  ## the next step of the tables: make migration REASON="Say what is added"
	@scripts/venv.sh test
	.venv/bin/python -m sep2.store.migrations "$(REASON)"

clean:  ## remove what was made
	rm -rf .venv build dist sep2-demo .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
