# `make demo` and `make test` do all the set-up on a machine with Python 3.11 or newer, make and git.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test fuzz lint types types-win32 docs zoo release system-tools clean

demo: $(STAMP)
	$(BIN)/horizon-rt demo

test: lint
	$(BIN)/python -m pytest -n 2 --dist worksteal $(PYTEST_ARGS)

# Property tests with new examples; `make test` takes the same ones each time.
fuzz: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal -m hypothesis --hypothesis-profile=search $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory -j 2 types types-win32

types: $(STAMP)
	$(BIN)/mypy

types-win32: $(STAMP)
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32

# The site of all documents, in site/. Its links are checked.
docs: export NO_MKDOCS_2_WARNING := 1
docs: export DISABLE_MKDOCS_2_WARNING := 1
docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	$(BIN)/mkdocs build

# The table of all nets in docs/zoo.md: sizes and speeds, and each trained alike. Takes three hours on a CPU.
zoo: $(STAMP)
	$(BIN)/python benchmarks/nets.py --json benchmarks/results/nets.json
	$(BIN)/python benchmarks/zoo.py --json benchmarks/results/zoo.json
	$(BIN)/python benchmarks/tables.py

# In dist/: wheel and sdist, built twice alike; what the wheel brings along (SBOM), from a bare environment in which
# the demo runs; and checksums.
release: export SOURCE_DATE_EPOCH := $(shell git log -1 --format=%ct)
release: $(STAMP)
	test -z "$$(git status --porcelain)" || { echo "commit first: a release is made from a commit"; exit 1; }
	rm -rf dist
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt build cyclonedx-bom
	$(BIN)/python -m build --outdir dist >/dev/null
	$(BIN)/python -m build --outdir dist/again >/dev/null
	for file in dist/again/*; do cmp $$file dist/$$(basename $$file) || exit 1; done
	$(PYTHON) -m venv dist/bare
	dist/bare/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	dist/bare/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	cd dist/again && ../bare/bin/horizon-rt demo
	$(BIN)/cyclonedx-py environment --output-reproducible -o dist/sbom.cdx.json dist/bare/bin/python
	rm -rf dist/again dist/bare
	cd dist && sha256sum * > SHA256SUMS && cat SHA256SUMS

# The tests that need these tools are skipped where they are not installed.
system-tools:
	apt-get update -qq && apt-get install -y -qq ffmpeg xvfb xdotool openbox imagemagick chromium chromium-driver \
	  libimage-exiftool-perl python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base \
	  gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly mosquitto prometheus

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) demo-out
