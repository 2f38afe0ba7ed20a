# make study   sets up and runs the main job on the embedded digits; prints where the report is
# make test    sets up and runs every check that CI runs
# make help    the other targets

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: help study test test-long fuzz fuzz-http torture mutation lint format bench results panel pixels seed-study simulation large clean

help:
	@echo "make study    set up, compare recurrent and convolutional networks on 1,797 real digits, write the report"
	@echo "make test     set up, then lint, types, layers and tests, as CI does"
	@echo "make test-long  what 'make test' leaves out to end in 20 minutes: deep networks, nodes of a cluster killed again and again"
	@echo "make fuzz     spoilt files for every loader, an hour, going on where it stopped; led by coverage where atheris installs"
	@echo "make fuzz-http  10,000 requests made up from the server's description (minutes)"
	@echo "make mutation  changes the code in one place at a time and looks whether a test notices (hours; goes on where it stopped)"
	@echo "make torture  300 kills, every failing write, full disks: nothing lost, the same bits (an hour or two)"
	@echo "make format   let ruff format the code"
	@echo "make bench    paired benchmarks (minutes)"
	@echo "make results  the MNIST study shown in the README (needs LINEWISE_DATA; tens of minutes)"
	@echo "make panel    fourteen networks on MNIST (needs LINEWISE_DATA; about an hour)"
	@echo "make pixels   MNIST pixel by pixel (needs LINEWISE_DATA; about two hours)"
	@echo "make seed-study  the study that began it, tuned, six seeds (needs LINEWISE_DATA; about 40 minutes)"
	@echo "make simulation  2,000 simulated studies per setting: what intervals and tests promise"
	@echo "make large    1,000,000 images of 64×64 within 2 GiB of memory (16 GB of disk in FOLDER; a quarter of an hour)"
	@echo "make clean    remove the virtual environment and caches"

$(STAMP): pyproject.toml constraints.txt
	@echo "== setting up $(VENV) (once; torch is large, this takes minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

study: $(STAMP)
	@echo "== linewise compare digits"
	@$(BIN)/linewise compare digits --out studies/digits

lint: $(STAMP)
	@echo "== ruff"
	@$(BIN)/ruff format --check --quiet . || { echo "run 'make format'"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@echo "== pyright"
	@$(BIN)/pyright --warnings
	@echo "== import-linter"
	@$(BIN)/lint-imports

test: lint
	@echo "== pytest (warnings are errors; sockets reach this machine only)"
	@$(BIN)/pytest --quiet --numprocesses 2 --dist worksteal

test-long: $(STAMP)
	@LINEWISE_LONG_TESTS=1 $(BIN)/pytest --quiet -m long

fuzz: $(STAMP)
	@$(BIN)/python -m pip install --quiet atheris || true
	@OMP_NUM_THREADS=1 $(BIN)/python fuzz/long.py --minutes 60

fuzz-http: $(STAMP)
	@LINEWISE_HTTP_CASES=10000 $(BIN)/pytest --quiet --capture=no tests/serve/test_schema.py

mutation: $(STAMP)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[mutation]'
	@OMP_NUM_THREADS=1 $(BIN)/python fuzz/mutation.py

torture: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python fuzz/torture.py

format: $(STAMP)
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

bench: $(STAMP)
	@$(BIN)/python benchmarks/trainer_overhead.py
	@$(BIN)/python benchmarks/cnn_variants.py
	@$(BIN)/python benchmarks/recurrences.py
	@$(BIN)/python benchmarks/kernels.py
	@$(BIN)/python benchmarks/torchrun.py
	@$(BIN)/linewise bench

results: $(STAMP)
	@bash docs/results/mnist/make.sh $(BIN)

panel: $(STAMP)
	@bash docs/results/networks/make.sh $(BIN)

pixels: $(STAMP)
	@bash docs/results/pixels/make.sh $(BIN)

seed-study: $(STAMP)
	@bash docs/results/seed-study/make.sh $(BIN)

simulation: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/simulation.py
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/simulation_variants.py

large: $(STAMP)
	@OMP_NUM_THREADS=1 $(BIN)/python benchmarks/large.py $(or $(FOLDER),large)

clean:
	@rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache .hypothesis
