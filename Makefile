.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 3
KILLS ?= 14

.PHONY: help setup setup-embedded setup-argo demo test fuzz bench golden docs \
  cluster cluster-test cluster-bench cluster-down bench-decisions chaos audit
help:  ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# constraints.txt pins what is installed; the marker makes a second run free
.venv/.ready: pyproject.toml constraints.txt
	@echo "setup: .venv with crossfade (about 30 s) ..." >&2
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[compiler,embedded]' --group dev
	@touch $@

setup: .venv/.ready  ## prepare .venv with the crossfade command

setup-embedded: .venv/.ready  ## install Prometheus, fortio and Seldon's model server, once
	@$(PYTHON) scripts/setup-embedded

setup-argo:  ## build the argo CLI, once
	@scripts/build-argo

demo: setup-embedded  ## run the example on this machine, to its outcome
	$(BIN)/crossfade run workflows/examples/iris

test: setup-embedded setup-argo  ## everything that needs no cluster
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

fuzz: .venv/.ready  ## 10,000 mutated files through the loader
	CROSSFADE_FUZZ=10000 $(BIN)/pytest tests/fuzz

bench: setup-embedded  ## compile time, step start-up, decision time, weight changes
	$(BIN)/python bench/bench.py

golden: .venv/.ready  ## write the golden files anew, for review
	CROSSFADE_GOLDEN=1 $(BIN)/pytest -q tests/golden tests/docs

docs: golden  ## write the generated pages anew

cluster: .venv/.ready  ## build and start a one-node Kubernetes with Argo and Istio
	$(BIN)/python tests/cluster/bed up

cluster-test: cluster  ## the same rollouts on that cluster, as users start them
	$(BIN)/pytest tests/cluster -n $(WORKERS) --dist loadgroup --durations 8

cluster-down: .venv/.ready  ## end it; what was built stays cached
	$(BIN)/python tests/cluster/bed down

cluster-bench: cluster  ## long measurements there: drift, split, 1,000 iterations, 25 at once
	$(BIN)/python bench/cluster

chaos: cluster  ## a few kills at random points of real rollouts (python bench/chaos: all 100)
	$(BIN)/python bench/chaos try $(KILLS)

audit:  ## known vulnerabilities of what is pinned (wants PyPI's advisory database)
	@$(PYTHON) scripts/audit

bench-decisions: .venv/.ready  ## how often each rule promotes what it should not (about 40 min)
	$(BIN)/python bench/decisions
	$(BIN)/python bench/decisions levers
