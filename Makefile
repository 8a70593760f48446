# make book   run every page this machine can run, render the copies into _build/html/index.html
# make test   every check: tests, notebooks compared with their stored outputs, lint, types
# make html   render the stored outputs (seconds)
# make mine   run a page with your own values: make mine LAM=0.9 DATA=emulate; PAGE=08-… names another
# make emulated   compare the pages that train once more, on processors that this one emulates
# make machines   measure how far machines agree on the pages' numbers; an hour. PAGES="05-…" for some
# make sync   bring notebooks/ up to date with book/; PAGES="01-…" names pages to run again
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# NASA's files, where a checkout has them beside it. AMNL_DATA_DIR wins.
NEARBY_DATA := $(abspath $(CURDIR)/../shared/cmapss)
ifneq ($(wildcard $(NEARBY_DATA)),)
  export AMNL_DATA_DIR ?= $(NEARBY_DATA)
endif

.PHONY: book test emulated emulated-plain emulated-compatible machines html mine sync lint clean
.DEFAULT_GOAL := book

# Runs again whenever a dependency or a pin changes.
$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
	  --constraint constraints.txt --editable '.[book,cluster,test]'
	touch $@

book: $(VENV)/installed
	$(BIN)/python tools/book/pages.py run

html: $(VENV)/installed
	$(BIN)/python tools/book/pages.py html

PAGE ?= 05-train-cmapss
# What make was told on its command line, but for what is make's or the environment's: a quoted
# word each, whatever is in it.
TOLD = $(foreach v,$(.VARIABLES),$(if $(filter command,$(origin $v)),$v))
OWN = $(foreach v,$(filter-out PAGE PYTHON VENV BIN AMNL_% MAKE%,$(TOLD)),'$(subst ','\'',$v=$(value $v))')
mine: $(VENV)/installed
	$(BIN)/python tools/book/pages.py mine '$(subst ','\'',$(PAGE))' $(OWN)

sync: $(VENV)/installed
	$(BIN)/python tools/book/pages.py sync $(PAGES)

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

NBVAL := $(BIN)/python -m pytest --nbval --nbval-current-env --nbval-sanitize-with tests/nbval.cfg

# The page on checks shows a whole run, passed (0) or failed (1), and none that was stopped. Two
# processes share the files out, in the order of tests/conftest.py and not by the count of tests.
REPORT := _build/reports/tests.xml
test: lint
	$(NBVAL) notebooks tests --numprocesses 2 --dist loadfile --no-loadscope-reorder \
	  --junitxml=$(REPORT).part; status=$$?; \
	  test $$status -gt 1 || mv $(REPORT).part $(REPORT); exit $$status

# The pages that hold what they train against other machines, and one that trains beside them, under
# the plainest instructions of each library, and under those that MKL has on every processor.
TRAINED := $(patsubst %,notebooks/%.ipynb,05-train-cmapss 09-adaptive-combiners \
  11-weigh-your-problem 12-how-far-to-believe-it 13-pitfalls own-fleet predict)
emulated-plain: PROCESSOR := ATEN_CPU_CAPABILITY=default MKL_ENABLE_INSTRUCTIONS=SSE4_2 \
  ONEDNN_MAX_CPU_ISA=SSE41
emulated-compatible: PROCESSOR := MKL_CBWR=COMPATIBLE
emulated: emulated-plain emulated-compatible
emulated-plain emulated-compatible: $(VENV)/installed
	$(PROCESSOR) $(NBVAL) $(TRAINED) --numprocesses 2 --dist loadfile

machines: $(VENV)/installed
	$(BIN)/python tools/book/machines.py $(PAGES)

clean:
	rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis
