#!/bin/bash
# Runs every test of the build in $1, $2 at a time: run_tests.sh BUILD JOBS [ctest args]. Closes with what was left out and why.
#
# STRICT=yes: a test that is left out for a reason other than those below counts as failed.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
jobs=$2
shift 2

# What a machine may lack; everything else must run where it counts.
excused='no usable CUDA device|only ThreadSanitizer sees it|no AVX-512|has every level|no data (at|in) |mounting needs root|sanitizers use (memory|files)|no gold or dictionary|small models only'

# The words that segmentation is compared with: Debian's, unpacked once (17 MB).
if [[ -z ${INK_DICTIONARY:-} && ! -e /usr/lib/python3/dist-packages/jieba/dict.txt ]]; then
  words=build/packages/python3-jieba
  if tools/fetch_package.sh python3-jieba "$words"; then
    export INK_DICTIONARY=$PWD/$words/usr/lib/python3/dist-packages/jieba/dict.txt
  fi
fi

# gtest writes one file of results per program; a fresh folder keeps old ones out of the count.
export GTEST_OUTPUT="xml:$PWD/$build/test-results/"
rm -rf "$build/test-results"
mkdir -p "$build/test-results"

code=0
ctest --test-dir "$build" --output-on-failure --no-tests=error -j "$jobs" "$@" || code=$?

results=("$build"/test-results/*.xml)
[[ -e ${results[0]} ]] || exit $code
awk -v excused="$excused" -v strict="${STRICT:-no}" '
function number(name,   found) {
  if (!match($0, " " name "=\"[0-9]+\"")) return 0
  found = substr($0, RSTART, RLENGTH); gsub(/[^0-9]/, "", found)
  return found
}
function attribute(name,   found) {
  if (!match($0, " " name "=\"[^\"]*\"")) return ""
  found = substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4)
  return found
}
/<testsuites / { programs++; cases += number("tests"); failed += number("failures") + number("errors") }
/<testsuite / { skipped += number("skipped") }
/<testcase / { test = attribute("classname") "." attribute("name") }
/<skipped / {
  reason = attribute("message")
  sub(/^[^ ]*&#x0A;/, "", reason); gsub(/&quot;/, "", reason); gsub(/&#x0A;.*/, "", reason)
  bad = reason !~ excused
  unexcused += bad
  left_out[++n] = "left out: " test ": " reason (bad && strict == "yes" ? "  (no excuse)" : "")
}
END {
  for (i = 1; i <= n; i++) print left_out[i]
  printf "%d cases in %d programs: %d passed, %d skipped, %d failed\n",
         cases, programs, cases - skipped - failed, skipped, failed
  if (strict == "yes" && unexcused) { print unexcused " tests were left out that must run"; exit 1 }
}' "${results[@]}" || code=1
exit $code
