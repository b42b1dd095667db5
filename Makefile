# LCCP: `make help` lists the targets. Works with GNU make 3.81 and BSD tools.
# PYTHON=…       the Python to use: 3.11 or newer, with venv
# TORCH_INDEX=…  index that has PyTorch's CPU build
.DEFAULT_GOAL := help
.PHONY: help demo test test-fast test-long test-lowest coverage check format hooks generate images chart helm mlflow cluster e2e bench bench-operator tiny-model smollm2 lock clean demo-environment environment

export PYTHON TORCH_INDEX
# Of some images: hundreds of processes that tests start would each compile what they import anew.
unexport PYTHONDONTWRITEBYTECODE
BIN := .venv/bin
# A worker for each core, four at most: a worker needs about 1 GB.
WORKERS := --numprocesses=logical --maxprocesses=4 --dist=loadgroup --no-loadscope-reorder

help: ## list the targets
	@echo "LCCP: train a language model to a longer context, and know whether it still pays"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

demo: demo-environment ## train, measure, judge and stop a small run on this machine
	@LCCP_STAGES_BEFORE=1 $(BIN)/lccp run examples/tiny/run.yaml

test: environment ## run the tests that need no cluster, but for long stories (PYTEST="-k name" for some of them)
	$(BIN)/python -m pytest --ignore=tests/e2e $(WORKERS) -m "not long" $(PYTEST)

test-long: environment ## run the long stories, of several processes and servers
	$(BIN)/python -m pytest --ignore=tests/e2e $(WORKERS) -m long $(PYTEST)

test-fast: environment ## run the quick ones: no server, and hardly a fifth of a second each
	$(BIN)/python -m pytest --ignore=tests/e2e $(WORKERS) -m "not slow" $(PYTEST)

coverage: ## run make test, and report what its own processes cover: 90 % of lccp, cli and operator, or it fails
	$(MAKE) test PYTEST="--cov --cov-report= $(PYTEST)"
	$(BIN)/coverage report --format=markdown --skip-covered >coverage.md
	for part in lccp cli operator; do $(BIN)/coverage report --include="$$part/*" --fail-under=90 | tail -n 1 || exit 1; done

test-lowest: environment ## run the tests of trainer and evaluator with the lowest versions of every range
	$(BIN)/python tools/lowest.py $(PYTEST)

e2e: helm ## run the tests on the cluster of KUBECONFIG (see make cluster)
	@test -n "$$KUBECONFIG" || { echo "set KUBECONFIG to a cluster for tests: make cluster starts one, or says how" >&2; exit 2; }
	$(BIN)/python -m pytest tests/e2e $(PYTEST)

cluster: ## start a cluster for tests with the images on it, or say how
	@tools/cluster

check: environment ## lint, types, layers, and that generated files are current: what CI checks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy lccp cli operator services tools
	$(BIN)/lint-imports
	$(BIN)/python tools/generate.py --check

format: environment ## mend what ruff can mend, and lay out the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

hooks: environment ## install git hooks that check a commit, and run make check before a push
	$(BIN)/pre-commit install

generate: environment ## write the CRD and the reference pages from the types
	$(BIN)/python tools/generate.py

images: ## build the images with docker, podman or buildah (variables: head of tools/images)
	@tools/images

chart: helm ## lint the chart, and pack it into dist/
	helm="$$($(BIN)/python tools/get_helm.py)" && \
		"$$helm" lint charts/lccp --values tests/charts/values/s3.yaml && \
		"$$helm" package charts/lccp --destination dist

mlflow: environment ## get MLflow's server, to which tests of the export log, into an environment of its own
	@$(BIN)/python tools/get_mlflow.py

helm: environment ## get Helm 4, where none is installed
	@$(BIN)/python tools/get_helm.py

bench: environment ## run the benchmarks that need no cluster (BENCH=name for one of them)
	$(BIN)/python tools/bench.py $(BENCH)

bench-operator: environment ## measure the operator on the cluster of KUBECONFIG, with kwok's nodes
	kubectl apply --server-side -f crds
	$(BIN)/python benchmarks/operator.py

tiny-model: environment ## rebuild the demo's base model and documents
	$(BIN)/python examples/tiny/make_model.py

smollm2: environment ## make a Hugging Face directory of SmolLM2-135M in a cache outside the tree
	$(BIN)/python examples/smollm2/make_smollm2.py

lock: ## resolve the ranges of pyproject.toml anew into the lock files
	"$$(tools/python)" tools/lock.py

clean: ## remove the environment, caches and build products; runs/ stays
	rm -rf .venv .venv-lowest .venv-mlflow build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

demo-environment:
	@tools/environment demo

environment: ## make .venv, with all that tests and checks need; what needs it makes it
	@tools/environment dev
