#!/bin/bash
# The rules of the house, one line each: check.sh BUILD JOBS. All of them run; any failure is the exit code.
set -uo pipefail
cd "$(dirname "$0")/.."
build=$1
export JOBS=$2
failed=0

rule() {  # rule "what it proves" command…
  local start=$SECONDS output
  if output=$("${@:2}" 2>&1); then
    printf 'ok    %-58s %4d s\n' "$1" $((SECONDS - start))
    grep '^left out' <<<"$output" || true
  else
    printf 'FAIL  %s\n%s\n' "$1" "$output"
    failed=1
  fi
}

rule "sources are formatted (clang-format)" tools/check_format.sh
rule "folders include only what they may" tools/check_arrows.sh
rule "sizes, widths, first lines, words" tools/check_text.sh
rule "the library never exits, prints or names this machine" tools/check_library.sh "$build"
if [[ ${TIDY:-on} == off ]]; then
  echo "left out: no lint (clang-tidy), as TIDY=off asks"
else
  rule "no lint (clang-tidy)" tools/check_tidy.sh "$build" "$JOBS"
fi
if [[ ${MACHINE_CODE:-on} == off ]]; then
  echo "left out: the kernels' machine code, as MACHINE_CODE=off asks"
else
  rule "mistakes in machine code are seen" tools/check_machine_code.py --self-test --jobs "$JOBS"
  rule "kernels' machine code is no worse than recorded" tools/check_machine_code.py --build "$build" --jobs "$JOBS"
fi

if ((failed)); then
  echo "check: failed"
else
  echo "check: all rules hold"
fi
exit $failed
