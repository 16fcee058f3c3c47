# The front door: `make` builds build/inkstone and the libraries; every other job is one word. See CONTRIBUTING.md.
#
#   make            build/inkstone, libinkstone.a, libinkstone-inference.a
#   make demo       the whole road on real text: vocabulary, pre-train, fine-tune, distil, prune, report.html
#   make test       every test and the consumer test; SAN=address,undefined or SAN=thread for a sanitizer's build
#   make check      format, clang-tidy, include arrows, file sizes, kernels' machine code and other rules of the house
#   make bench      every op, with its share of the machine's limit (BENCH=gemm: one program)
#   make peers      side by side with PyTorch and others      make golden   reference tensors anew, with PyTorch
#   make docs       the reference, in build/docs              make install  PREFIX=/usr/local DESTDIR=
#   make setup      installs what is missing from Debian packages; all, demo, test, check … call it themselves
#   make clean      removes the build folders
#
# CUDA=1 builds with the CUDA device, in build-cuda, for six architectures; ARCH=90 (or native) chooses one, which the folder keeps.
# tools/gpu_check.sh does all that a machine with a GPU can show.

SAN ?=
CUDA ?=
# Of the command line alone: environments use this name for other things.
ARCH :=
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
PYTHON ?= python3
DEMO_ARGS ?=
BENCH_ARGS ?=
PEERS_ARGS ?=
INK_DATA ?= ../shared/data

ifneq ($(CUDA),)
BUILD := build-cuda
else ifeq ($(SAN),)
BUILD := build
else ifeq ($(SAN),thread)
BUILD := build-tsan
else
BUILD := build-asan
endif

CMAKE_ARGS := $(if $(CUDA),-DINK_CUDA=ON $(if $(ARCH),-D 'INK_CUDA_ARCHITECTURES=$(ARCH)')) -DINK_SANITIZE=$(SAN) -DCMAKE_INSTALL_PREFIX=$(PREFIX)
# Calm: a moving line of progress on a terminal, one line of words elsewhere.
CALM := $(if $(shell test -t 2 && echo terminal),,--quiet)
configure = cmake -S . -B $(BUILD) -G Ninja $(CMAKE_ARGS) $(1) --log-level=WARNING >/dev/null
compile = echo "building in $(BUILD)/"; cmake --build $(BUILD) -j $(JOBS) --target $(1) -- $(CALM)

.SILENT:
.PHONY: all setup demo test check bench peers golden docs install clean
.DEFAULT_GOAL := all

all:
	tools/setup.sh build
	$(call configure)
	$(call compile,inkstone inkstone_inference inkstone_cli tools)

setup:
	tools/setup.sh build test bench check --verbose

demo: all
	tools/demo.sh $(DEMO_ARGS)

test:
	tools/setup.sh build test
	$(call configure)
	$(call compile,all)
	tools/run_tests.sh $(BUILD) $(JOBS)

check:
	tools/setup.sh build test bench check
	$(call configure,-DINK_BENCH=ON)
	$(call compile,all)
	tools/check.sh $(BUILD) $(JOBS)

bench:
	tools/setup.sh build bench
	$(call configure,-DINK_BENCH=ON)
	$(call compile,all)
	tools/run_benches.sh $(BUILD) "$(BENCH)" $(BENCH_ARGS)

peers:
	tools/setup.sh build bench
	$(call configure,-DINK_BENCH=ON)
	$(call compile,bench)
	$(PYTHON) bench/peers.py --program $(BUILD)/bench/encode $(PEERS_ARGS)

golden:
	$(PYTHON) tools/golden/bert.py
	$(PYTHON) tools/golden/families.py
	$(PYTHON) tools/golden/bigru.py
	$(PYTHON) tools/golden/gru.py
	$(PYTHON) tools/golden/compress.py
	$(PYTHON) tools/golden/distill_steps.py
	$(PYTHON) tools/golden/distill_emd.py
	$(PYTHON) tools/golden/distill_text.py
	$(PYTHON) tools/golden/optimizer.py
	$(PYTHON) tools/golden/torch_files.py
	$(PYTHON) tools/golden/text.py "$(INK_DATA)" >tests/golden/text.json.new
	mv tests/golden/text.json.new tests/golden/text.json
	$(PYTHON) tools/golden/family_tokenizers.py "$(INK_DATA)" >tests/golden/family_tokenizers.json.new
	mv tests/golden/family_tokenizers.json.new tests/golden/family_tokenizers.json

docs:
	tools/setup.sh docs
	tools/docs.sh $(BUILD)

install: all
	DESTDIR="$(DESTDIR)" cmake --install $(BUILD) --prefix "$(PREFIX)" >/dev/null
	echo "inkstone is installed in $(DESTDIR)$(PREFIX)"

clean:
	rm -rf build build-asan build-tsan build-cuda
