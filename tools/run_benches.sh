#!/bin/bash
# Runs the bench programs of the build in $1, or only the one named $2; further arguments go to the programs.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
only=$2
shift 2
for program in "$build"/bench/*; do
  [[ -f $program && -x $program ]] || continue
  [[ -z $only || ${program##*/} == "$only" ]] || continue
  echo "── ${program##*/}"
  "$program" "$@"
done
