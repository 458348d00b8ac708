# make demo [ARGS=--once]   sets everything up and plays a trading period
# make test                 sets everything up and passes the tests, in PROCESSES at once (see tests/conftest.py)
# make benchmark            measures the stock decision against its peers, and the whole step at 250,000 and 1,000,000 SKU-locations;
#                           then a settlement of 1,000,000 rows against what others need merely to read it
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
PROCESSES ?= 2
export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false

# make simulate | kills | fuzz   the long proofs
.PHONY: simulate kills fuzz demo test benchmark lock clean system

demo: $(VENV)/.ready
	$(BIN)/wharfinger demo $(ARGS)

test: $(VENV)/.ready system
	$(BIN)/python -m pytest -n $(PROCESSES) --dist loadgroup $(ARGS)

benchmark: $(VENV)/.ready .wharfinger/peers/.ready
	$(BIN)/python -m tests.benchmarks.run $(ARGS)
	$(BIN)/python -m tests.benchmarks.settlement_run

.wharfinger/peers/.ready: tests/benchmarks/requirements.txt
	$(PYTHON) -m venv .wharfinger/peers
	.wharfinger/peers/bin/pip install --quiet --disable-pip-version-check -r tests/benchmarks/requirements.txt
	touch $@

# installs exactly what the lock names, each file checked against its hash; --no-deps because the lock is whole, and older pips
# take prefect's `sqlalchemy[asyncio]` for something that the lock does not pin
$(VENV)/.ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/pip check --disable-pip-version-check
	touch $@

# what some tests talk to for real: an SSH server, PostgreSQL, a browser (Debian; elsewhere install them yourself)
system:
	@sh tests/system.sh

# the long proof: ten thousand worlds of orders, dispatches, stock and returns; about three hours on two cores (ARGS="--seeds 3000": one)
simulate: $(VENV)/.ready
	$(BIN)/wharfinger simulate --seeds 10000 --workers 2 $(ARGS)

# real kills: a thousand processes on a ledger file, PostgreSQL, the whole Prefect stack; about an hour
kills: $(VENV)/.ready system
	$(BIN)/python -m tests.kills.run $(ARGS)

# a million mutants for every door, for at most ten minutes each; what was found is printed with its seed and number
fuzz: $(VENV)/.ready
	$(BIN)/python -m tests.fuzz.campaign --mutants 1000000 --minutes 10 $(ARGS)

lock:
	uv pip compile pyproject.toml --all-extras --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 -o requirements.lock

clean:
	rm -rf $(VENV) .wharfinger
