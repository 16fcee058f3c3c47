#!/bin/bash
# Checks that every source is formatted as .clang-format says; `clang-format -i FILE` mends it.
set -euo pipefail
cd "$(dirname "$0")/.."
git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cpp' '*.cu' '*.cuh' |
  xargs -0 --no-run-if-empty -n 20 -P "${JOBS:-$(nproc)}" clang-format --dry-run -Werror
