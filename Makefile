# Thin front door: every target sets up what it needs by itself. `make` explains.
.DEFAULT_GOAL := help
.PHONY: help environment slurm imagenet figures notebooks report page crate rocrate gallery adopt tidy profile test test-fast fuzz lint format generate benchmarks lock clean

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CONFIG ?= config/mnist5k.yaml
RUN = $(shell sed -nE 's/^run: *["'\'']?([A-Za-z0-9_-]+).*/\1/p' $(CONFIG) 2>/dev/null | tail -n 1)
PYTHON ?= python3
UV := $(or $(shell command -v uv),.bootstrap/bin/uv)
BIN := .venv/bin
INSTALL = $(UV) pip install --quiet --python $(BIN)/python --compile-bytecode

# Neither make nor Snakemake can handle it, and half of what they would do first takes minutes
ifneq ($(words $(CURDIR)),1)
$(error the path of this folder has a space in it ($(CURDIR)): move the project to one without)
endif

# Moved or copied here with its folder, it would run what stands in the other one, if anything
MADE_FOR := $(shell sed -nE "s/^VIRTUAL_ENV=['\"]?([^'\"]+)['\"]?$$/\1/p" .venv/bin/activate 2>/dev/null)
ifneq ($(MADE_FOR),)
ifneq ($(realpath $(MADE_FOR)),$(realpath .venv))
$(error .venv was made for another folder ($(MADE_FOR)): remove it (rm -rf .venv), and make will set up another one)
endif
endif

help:
	@echo 'make figures      rebuild every figure of the default run       (CONFIG=config/<run>.yaml for another)'
	@echo 'make report       one HTML page: all figures at a glance, claims drawn, then every figure with caption and table'
	@echo 'make crate        the results of the run with metadata, as an RO-Crate'
	@echo 'make gallery      figures/reference/<run>: small copies of figures and tables, to commit'
	@echo 'make notebooks    executed HTML copies of the analyses'
	@echo 'make adopt        check a run that was copied without its times, and set them right'
	@echo 'make tidy         remove the figures and tables of the run that its configuration no longer has'
	@echo 'make profile      where the minutes of the run went: what its jobs took, by rule'
	@echo 'make test         run the whole test suite; make test-fast what needs no pipeline run, no Slurm and no browser'
	@echo 'make fuzz         call and feed everything with anything, for SECONDS=600 or as long as one likes'
	@echo 'make lint         check style and imports; make format mends style'
	@echo 'make generate     write what is generated: the schema and the tables of config/README.md'
	@echo 'make benchmarks   measure speed'
	@echo 'make environment  set up .venv from the lock, which the others do by themselves'
	@echo 'make slurm        the same with what a Slurm cluster needs (profiles/slurm)'
	@echo 'make imagenet     the same with three networks trained on ImageNet (config/imagenet.yaml)'
	@echo 'make lock         resolve the locked requirements anew'
	@echo 'make clean        remove what the default run made, but for data sets'

.bootstrap/bin/uv: requirements/bootstrap.txt
	@echo 'make: uv is not installed: fetching it into .bootstrap'
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes --upgrade --target .bootstrap -r $<
	@touch $@

.venv/bin/python: | $(if $(shell command -v uv),,.bootstrap/bin/uv)
	@echo 'make: creating the environment in .venv'
	@$(UV) venv --quiet --seed --allow-existing --python '>=3.11' .venv

.venv/installed-%: requirements/%.txt pyproject.toml | .venv/bin/python
	@echo 'make: installing the locked packages of $< (half a minute where they are cached, else a few)'
	@$(INSTALL) --require-hashes -r $<
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

environment: .venv/installed-workflow
slurm: .venv/installed-slurm
imagenet: .venv/installed-imagenet

# For one that is there make asks nothing
$(CONFIG):
	@echo 'make: there is no $(CONFIG): say which run by CONFIG=config/<run>.yaml' >&2; exit 1

# Snakemake ends with what the sources claim, and what the run says
figures: environment $(CONFIG)
	@echo 'make: rebuilding the figures of run $(RUN) into figures/$(RUN)'
	@$(BIN)/snakemake --configfile $(CONFIG) --quiet reason host

notebooks: environment $(CONFIG)
	@echo 'make: executing the analyses of run $(RUN) into results/$(RUN)/notebooks'
	@$(BIN)/snakemake --configfile $(CONFIG) --quiet reason host -- notebooks

report: figures
	@echo 'make: writing results/$(RUN)/report.html'
	@$(BIN)/snakemake --configfile $(CONFIG) --quiet reason host -- report
	@echo 'make: open results/$(RUN)/report.html'

crate: figures
	@echo 'make: packing results/$(RUN)/rocrate.zip'
	@$(BIN)/snakemake --configfile $(CONFIG) --quiet reason host -- crate

page: report
rocrate: crate

gallery: crate
	@echo 'make: putting $(RUN) into figures/reference/$(RUN)'
	@$(BIN)/python workflow/gallery.py $(RUN)

adopt: environment $(CONFIG)
	@$(BIN)/python -m diffeo_stability adopt $(CONFIG)

tidy: environment $(CONFIG)
	@$(BIN)/python -m diffeo_stability tidy $(CONFIG)

profile: environment $(CONFIG)
	@$(BIN)/python -m diffeo_stability profile $(CONFIG)

# One thread per worker, and in all that it starts: more of them than cores wait for each other. One worker more than cores, as some
# wait for a cluster or for a run that others make. Bytecode is kept, and what was read of sources with it: tests start hundreds of
# processes.
WORKERS = $$(( $$(nproc 2>/dev/null || echo 2) < 4 ? $$(nproc 2>/dev/null || echo 2) + 1 : 4 ))
PYTEST = OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist worksteal

test: .venv/installed-test
	@echo 'make: running the tests'
	@$(PYTEST)

test-fast: .venv/installed-test
	@echo 'make: running the tests that are fast'
	@$(PYTEST) -m 'not slow'

# Other examples in every pass, until the time is over; the first failure ends it
SECONDS ?= 600
fuzz: .venv/installed-test
	@echo 'make: fuzzing for $(SECONDS) s'
	@end=$$(( $$(date +%s) + $(SECONDS) )); while :; do \
		OMP_NUM_THREADS=1 $(BIN)/python -m pytest --quiet --hypothesis-profile=fuzz tests/test_fuzz.py tests/data/test_hostile_input.py; \
		[ $$(date +%s) -lt $$end ] || break; \
	done

lint: .venv/installed-test
	@echo 'make: ruff'
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo 'make: import-linter'
	@$(BIN)/lint-imports --no-cache --no-logo >.venv/imports.log || { cat .venv/imports.log; exit 1; }
	@echo 'make: snakefmt'
	@$(BIN)/snakefmt --check Snakefile workflow/rules
	@echo 'make: snakemake --lint'
	@$(BIN)/python workflow/lint.py

format: .venv/installed-test
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .
	@$(BIN)/snakefmt Snakefile workflow/rules

generate: environment
	@$(BIN)/python -m diffeo_stability.pipeline.generate

benchmarks: .venv/installed-test
	@$(BIN)/python -m pytest benchmarks --benchmark-only

lock: environment
	@echo 'make: resolving requirements/*.txt'
	@lock="$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate"; \
	$$lock requirements/bootstrap.in -o requirements/bootstrap.txt; \
	$$lock pyproject.toml --extra workflow -o requirements/workflow.txt; \
	$$lock pyproject.toml --extra workflow --extra slurm -c requirements/workflow.txt -o requirements/slurm.txt; \
	$$lock pyproject.toml --extra workflow --extra imagenet -c requirements/workflow.txt -o requirements/imagenet.txt; \
	$$lock pyproject.toml --extra workflow --extra test -c requirements/slurm.txt -c requirements/imagenet.txt -o requirements/test.txt

clean: $(CONFIG)
	@test -n '$(RUN)' || { echo 'make: $(CONFIG) has no key run' >&2; exit 1; }
	@echo 'make: removing figures/$(RUN), results/$(RUN) and logs/$(RUN)'
	@rm -rf figures/$(RUN) results/$(RUN) logs/$(RUN)
