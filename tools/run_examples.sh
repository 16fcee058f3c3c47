#!/bin/bash
# Runs every example of the build in $1, small, in a scratch folder: each must end well. The C++ in README.md and
# CONTRIBUTING.md must compile.
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

# Blocks of C++ become files; one that includes nothing stands for lines inside a function with what they name at hand.
for page in README.md CONTRIBUTING.md; do
  awk -v prefix="$scratch/$page-" '
/^```cpp$/ { count += 1; file = prefix count ".cpp"; text = ""; next }
/^```$/ && file != "" {
  if (text !~ /#include/)
    text = "#include \"inkstone.h\"\n" \
      "void lines(ink::Model& model, const ink::Packed& batch, const ink::Random& random,\n" \
      "           const ink::Tensor& rows, const ink::Tensor& labels) {\n" text "}\n"
  printf "%s", text >file
  close(file); file = ""
}
file != "" { text = text $0 "\n" }' "$page"
done
for source in "$scratch"/*.cpp; do
  echo "── ${source##*/}"
  g++ -std=c++20 -Wall -Wextra -Wno-unused -Werror -fopenmp-simd -fsyntax-only -I. "$source"
done
