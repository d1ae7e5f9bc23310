# Each command sets up all it needs in a virtual environment of its own; PYTHON names the interpreter.
PYTHON ?= python3
PIP = bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# More threads than cores make small networks crawl.
export OMP_NUM_THREADS = 1

.PHONY: demo test check docs dist browser clean

demo: .venv/demo
	.venv/bin/poselift lift src/poselift/data/demo.npz src/poselift/data/demo_video.mp4 --out out/demo --force
	@echo "The results are in out/demo. To see them move, open these pages in a browser:"
	@echo "  $(CURDIR)/out/demo/demo.html"
	@echo "  $(CURDIR)/out/demo/demo_video.html"

test: .venv-lab/ready .venv-video/ready
	.venv-lab/bin/python -m pytest --numprocesses 2 --durations 10
	.venv-video/bin/python -m pytest --numprocesses 2 --durations 10 --ignore tests/lab --ignore tests/fuzz

check: .venv-lab/ready
	.venv-lab/bin/ruff format --check .
	.venv-lab/bin/ruff check .
	.venv-lab/bin/mypy

# The pages and the docstrings as a site, which loads nothing from outside.
docs: .venv-docs/ready
	.venv-docs/bin/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env -b html docs dist/site
	@echo "The site is in dist/site; open $(CURDIR)/dist/site/index.html in a browser."

# The wheel, built from the sdist; and that it works where there is nothing but it and what it asks for.
dist: .venv-lab/ready
	rm -rf dist .venv-dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt .venv-lab/bin/python -m build --outdir dist
	$(PYTHON) -m venv .venv-dist
	.venv-dist/$(PIP) dist/*.whl
	cd dist && PYTHONPATH= ../.venv-dist/bin/python -c "$$CHECK_WHEEL"
	PYTHONPATH= .venv-dist/bin/poselift --version
	ls -lh dist

define CHECK_WHEEL
import subprocess, sys, tempfile
from importlib import resources
import poselift
assert "site-packages" in poselift.__file__, poselift.__file__
demo = resources.files("poselift") / "data" / "demo.npz"
with tempfile.TemporaryDirectory() as out:
    subprocess.run([sys.executable, "-m", "poselift", "lift", str(demo), "-o", out], check=True)
    assert len(poselift.read_poses(f"{out}/demo.npz")) == 58
endef
export CHECK_WHEEL

# What the test of the networks in a browser needs, 150 MB from npm; the test is skipped without it.
browser:
	cd examples/browser && npm ci --ignore-scripts --no-audit --no-fund

clean:
	rm -rf .venv .venv-lab .venv-video .venv-docs .venv-dist dist out examples/browser/node_modules

# The front with videos, as `pip install "poselift[video]"` gives it.
.venv/demo: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/$(PIP) --no-compile -e '.[video]'
	touch $@

# Everything.
.venv-lab/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-lab
	.venv-lab/$(PIP) -e '.[lab,video,dev]'
	touch $@

# The front with videos, without torch, on the oldest numpy.
.venv-video/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-video
	.venv-video/$(PIP) -e '.[video]' pytest pytest-xdist hypothesis 'numpy==1.26.*; python_version<"3.13"'
	touch $@

# The front and Sphinx.
.venv-docs/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/$(PIP) -e '.[docs]'
	touch $@
