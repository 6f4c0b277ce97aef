# The front door. `make demo` and `make test` need git, make and Python 3.11 to 3.13, nothing else.
.ONESHELL:
.SHELLFLAGS := -eu -o pipefail -c
SHELL := bash
.DEFAULT_GOAL := help

# Without byte code every process would compile Airflow anew.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
UV := $(VENV)/uv/bin/uv
export REGULARS_HOME ?= $(CURDIR)
export PATH := $(BIN):$(PATH)

.PHONY: help
help:  ## Show the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(UV):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Regulars needs Python 3.11 to 3.13, and $(PYTHON) is {v[0]}.{v[1]}: run make PYTHON=python3.12 …")'
	@echo "Setting up the environment in $(VENV) …"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PYTHON) -m venv $(VENV)/uv
	@$(VENV)/uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock

$(VENV)/.runtime: requirements.lock $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements.lock
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements-dev.lock
	@touch $@ $(VENV)/.runtime

.PHONY: env
env: $(VENV)/.runtime  ## Install the environment from the lock, without running anything

.PHONY: lock
lock: $(UV)  ## Resolve the locks anew; they name no registry
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links requirements.in -o requirements.lock
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links -c requirements.lock requirements.in requirements-dev.in -o requirements-dev.lock

DEMO_AS_OF := 2025-07-01
PORT ?= 8080

.PHONY: demo
demo: env  ## The main job on the sample shop: train, run one night, show the lists
	@python -m regulars sample-shop --until $(DEMO_AS_OF)
	@$(MAKE) --no-print-directory night AS_OF=$(DEMO_AS_OF)

.PHONY: night
night: env  ## One night: make night AS_OF=2011-09-10 REGULARS_HOME=examples/online_retail_II
	@test -n "$(AS_OF)" || { echo 'error: say which night: make night AS_OF=YYYY-MM-DD' >&2; exit 2; }
	@code=0; python -m models needs-training --as-of $(AS_OF) || code=$$?
	case $$code in 0) python -m regulars train --as-of $(AS_OF) ;; 1) ;; *) exit $$code ;; esac
	@python -m regulars night --as-of $(AS_OF)
	@python -m reporting summary --as-of $(AS_OF)

.PHONY: train
train: env  ## One training: make train AS_OF=2011-09-10
	@test -n "$(AS_OF)" || { echo 'error: say as of when: make train AS_OF=YYYY-MM-DD' >&2; exit 2; }
	@python -m regulars train --as-of $(AS_OF)

.PHONY: backtest
backtest: env  ## What would have been predicted: make backtest ORDERS=orders.csv CUTOFF=2011-09-10 HORIZON=90 OUT=predictions.parquet
	@test -n "$(ORDERS)" -a -n "$(CUTOFF)" -a -n "$(HORIZON)" -a -n "$(OUT)" || { echo 'error: say of what, when, how far and where to: make backtest ORDERS=file CUTOFF=YYYY-MM-DD HORIZON=days OUT=predictions.parquet' >&2; exit 2; }
	@python -m models backtest --orders "$(ORDERS)" --cutoff $(CUTOFF) --horizon $(HORIZON) --out "$(OUT)"

.PHONY: up
up: env  ## Airflow's pages on 127.0.0.1, with a generated password
	@if [ "$$(realpath "$(REGULARS_HOME)")" = "$(CURDIR)" ]; then python -m regulars sample-shop --until $(DEMO_AS_OF); fi
	@python -m regulars up --port $(PORT)

.PHONY: down
down: env  ## End Airflow, children included
	@python -m regulars down

.PHONY: secrets
secrets:  ## Secrets, folders and .env for docker-compose.yml; overwrites nothing
	@$(PYTHON) -m regulars.deployment prepare

.PHONY: lint
lint: $(VENV)/.dev  ## Format, types, layers and SQL
	@ruff format --check .
	@ruff check .
	@mypy
	@lint-imports
	@sqlfluff lint dbt --processes 1

.PHONY: test
test: lint  ## All tests
	@pytest -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: campaign
campaign: $(VENV)/.dev  ## The long trials; each prints its figures
	@python -m tests.campaigns.kills --random 100
	@python -m tests.campaigns.damage
	@python -m tests.campaigns.engines
	@python -m tests.campaigns.gates
	@nice -n 10 python -m tests.campaigns.canaries
	@nice -n 10 python -m tests.campaigns.ordinary_nights --nights 365
	@REGULARS_ALL_ACCIDENTS=1 nice -n 10 pytest tests/activation/test_accidents.py
	@python -m tests.campaigns.two_times --histories 200
	@nice -n 10 python -m tests.campaigns.reasons
	@nice -n 10 python -m tests.campaigns.calibration --customers 20000
	@nice -n 10 python -m tests.campaigns.next_products

PART := $(if $(SIZE),nights,nights training scoring)

.PHONY: bench
bench: $(VENV)/.dev  ## Nights beside a script by hand, a training, the scoring, into docs/benchmarks.md: make bench SIZE="1m 10m", PART=scoring
	@for part in $(PART); do
		case $$part in
			nights) python -m benchmarks $(SIZE) ;;
			training | scoring) python -m benchmarks.$$part $(SIZE) ;;
			*) echo "error: there is no part $$part; there are nights, training and scoring" >&2; exit 2 ;;
		esac
	done

.PHONY: predictions
predictions: $(VENV)/.dev  ## Backtests of the public shops in ../shared, into the tables of docs/predictions.md: make predictions TASKS="orii_90"
	@nice -n 10 python -m benchmarks.predictions $(TASKS)

.PHONY: docs
docs: env  ## Write the reference pages anew
	@python -m reference
