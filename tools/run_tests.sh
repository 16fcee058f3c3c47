#!/bin/bash
# Runs every test of the build in $1, $2 at a time, and closes with the count of cases: run_tests.sh BUILD JOBS [ctest args]
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
jobs=$2
shift 2

# gtest writes one file of results per program; a fresh folder keeps old ones out of the count.
export GTEST_OUTPUT="xml:$PWD/$build/test-results/"
rm -rf "$build/test-results"
mkdir -p "$build/test-results"

code=0
ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$jobs" "$@" || code=$?

cat "$build"/test-results/*.xml 2>/dev/null | awk '
function number(name,   found) {
  if (!match($0, " " name "=\"[0-9]+\"")) return 0
  found = substr($0, RSTART, RLENGTH); gsub(/[^0-9]/, "", found)
  return found
}
/<testsuites / { programs++; cases += number("tests"); failed += number("failures") + number("errors") }
/<testsuite / { skipped += number("skipped") }
END { printf "%d cases in %d programs: %d passed, %d skipped, %d failed\n",
      cases, programs, cases - skipped - failed, skipped, failed }'
exit $code
