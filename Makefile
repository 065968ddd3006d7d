# The commands of this repository. `make help` lists them.

SHELL := /bin/sh
PYTHON ?= python3
UV_VERSION := 0.13.9
# The uv on the PATH, or else one that is installed in .uv.
UV := $(shell command -v uv || echo .uv/bin/uv)
BIN := .venv/bin
# With its digest.
BASE_IMAGE = $(shell sed -n 's/^ *BASE_IMAGE: //p' deploy/compose.yaml)
FIRST ?= 2023-04
LAST ?= 2023-09
# The site of the documentation. A link that leads nowhere is an error, also if no page has changed since.
SITE = $(BIN)/sphinx-build --quiet --fresh-env --write-all --nitpicky --fail-on-warning --doctree-dir build/doctrees --conf-dir docs .
# Six small months are too short for the JVM's optimizing compiler to save time.
QUICK := -XX:TieredStopAtLevel=1

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check docs links dist audit requirements bench image clean

help: ## List these commands
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

setup: .venv/.complete ## Create the environment in .venv, with Java

.venv/.complete: uv.lock pyproject.toml | $(UV)
	$(UV) sync --locked --all-extras --compile-bytecode --python $(PYTHON)
	@# The JVM prints its whole class path.
	@$(BIN)/python -m fitness_assets.spark.build_archive >.venv/archive.log 2>&1 || { cat .venv/archive.log; exit 1; }
	@touch $@

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

demo: setup ## Materialize FIRST to LAST (2023-04 to 2023-09) of the default cohort, every asset
	SPARK_SUBMIT_OPTS="$(QUICK)" $(BIN)/fitness backfill $(FIRST) $(LAST) --report

up: setup ## Serve the Dagster UI and the dashboard until Ctrl-C
	$(BIN)/fitness serve

test: setup ## Run the tests, from Python 3.12 on with their coverage; ARGS are passed to pytest
	@scripts/install-test-packages
	@scripts/test $(ARGS)

check: setup ## Lint, import contracts, types, Dagster definitions, and the files of CI and deployment
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/dg check defs
	scripts/requirements $(UV) | diff dashboard/requirements.txt -
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/kubernetes-validate --strict --quiet deploy/kubernetes/*.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yaml
	$(BIN)/zizmor --offline --quiet .github/workflows
	$(SITE) build/docs

docs: setup ## Write the documentation that is generated from the code, and build the site in build/docs
	$(BIN)/python scripts/generate-docs
	$(SITE) build/docs
	@echo open build/docs/index.html

links: setup ## Follow the links of the documentation to other sites, which needs the network
	$(SITE) --builder linkcheck build/links

dist: | $(UV) ## Build the wheel and the source distribution in dist, and their SBOM (CycloneDX) in build/sbom
	$(UV) build --quiet --out-dir dist
	@mkdir -p build/sbom
	$(UV) export --quiet --locked --no-default-groups --all-extras --format cyclonedx1.5 \
		> build/sbom/fitness-assets.cdx.json

audit: setup ## Search the lock file for known vulnerabilities and the sources for secrets
	@scripts/audit $(UV)

requirements: | $(UV) ## Write dashboard/requirements.txt from the lock
	scripts/requirements $(UV) > dashboard/requirements.txt

bench: setup ## Run the benchmarks; PART=name runs one of them
	$(UV) sync --locked --all-extras --group bench --compile-bytecode --python $(PYTHON)
	$(BIN)/python -m bench $(PART)

image: ## Build the container image fitness-assets; TARGET=dashboard builds fitness-dashboard
	docker build $(if $(TARGET),--target $(TARGET)) --build-arg BASE_IMAGE=$(BASE_IMAGE) \
		--tag fitness-$(or $(TARGET),assets) .

clean: ## Remove the environment and the files of tools; keeps .fitness
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis artifacts build dist
