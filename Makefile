# Two commands, and nothing clever. Another interpreter: make PYTHON=python3.12 test
PYTHON ?= python3
BIN := .venv/bin

.PHONY: reproduce test lab notebooks oldest clean

reproduce: .venv/ready  ## every workflow on its reference specimen, then one page of all results
	$(BIN)/liscope run --all

test: .venv/ready  ## what CI runs: style, types, unit tests, notebooks, browser
	tools/ci_browser.sh
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile
	$(BIN)/python -m pytest -p no:cacheprovider --nbval-lax --nbval-current-env --nbval-cell-timeout 600 notebooks

lab: .venv-lab/ready  ## JupyterLab, in an environment of its own
	.venv-lab/bin/jupyter lab notebooks

notebooks: .venv/ready  ## execute the notebooks and keep their outputs
	$(BIN)/python tools/refresh_notebooks.py

clean:  ## remove the environments; results stay
	rm -rf .venv .venv-lab .venv-oldest

# pip compiles what it installs; our own modules are compiled here, or every import would do it. So are
# numba's kernels: two processes that compile the same one at the same time may leave it broken.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q lib
	$(BIN)/python tools/compile_kernels.py
	touch $@

.venv-lab/ready: requirements-lab.lock pyproject.toml
	$(PYTHON) -m venv .venv-lab
	.venv-lab/bin/python -m pip install --quiet --require-hashes -r requirements-lab.lock
	.venv-lab/bin/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# The oldest versions that pyproject.toml allows, to find out whether they really work.
oldest:
	$(PYTHON) -m venv .venv-oldest
	$(PYTHON) tools/oldest.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet "pip>=25.1"
	.venv-oldest/bin/python -m pip install --quiet -c .venv-oldest/constraints.txt --group test --editable .
	.venv-oldest/bin/python -m pytest -n 2 --dist loadfile
