#!/bin/bash
# Looks for races with ThreadSanitizer: on the emulated device planted ones must be found, in kernels and between streams, and
# the kernels of everyday ops must have none. A selection of `make test SAN=thread` that takes minutes: check_races.sh [JOBS]
set -euo pipefail
cd "$(dirname "$0")/.."
build=build-tsan
kernels='*WithTheCpu/layer_norm*:*WithTheCpu/cross_entropy*:*WithTheCpu/sum*:*WithTheCpu/dropout*:*WithTheCpu/attention*'

cmake -S . -B "$build" -G Ninja -DINK_SANITIZE=thread --log-level=WARNING >/dev/null
cmake --build "$build" -j "${1:-$(nproc)}" --target test_cuda -- --quiet
timeout -k 10 900 "$build/tests/test_cuda" --gtest_brief=1 --gtest_filter="Races*:$kernels"
