#!/bin/bash
# Runs every example of the build in $1, small, in a scratch folder: each must end well.
set -euo pipefail
cd "$(dirname "$0")/.."
programs=$(cd "$1/examples" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for program in "$programs"/*; do
  [[ -f $program && -x $program ]] || continue
  name=${program##*/}
  arguments=()
  case $name in
    pretrain_tiny) arguments=(README.md "$scratch/model" 3) ;;
  esac
  echo "── $name"
  TMPDIR=$scratch "$program" "${arguments[@]}"
done
