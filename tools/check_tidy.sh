#!/bin/bash
# Runs clang-tidy over every source that the build in $1 compiles, $2 at a time; any finding is an error.
#
# A source that passed is not looked at again until it, a project header that it includes, .clang-tidy or clang-tidy itself
# has changed: its stamp lists the digests of all of these.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1
jobs=${2:-$(nproc)}
stamps=$build/tidy
mkdir -p "$stamps"

# Some attributes are g++'s alone, and are about speed alone; conversions are g++'s -Wconversion to judge.
export TIDY_ARGS="-p $build --quiet --extra-arg=-Wno-unknown-attributes --extra-arg=-Wno-ignored-attributes \
  --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-conversion"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git ls-files -z --cached --others --exclude-standard -- '*.h' '*.cpp' | xargs -0 sha256sum >"$work/digests"
{ clang-tidy --version; sha256sum .clang-tidy tests/.clang-tidy; } >"$work/base"

# ninja's record of what each object was made from → one list of digests per source, in $work/list.
mkdir "$work/list"
ninja -C "$build" -t deps | grep -v '^ninja:' |
awk -v root="$PWD/" -v out="$work/list/" -v base="$work/base" '
FILENAME == base { head = head $0 "\n"; next }
FILENAME != "-" { digest[$2] = $1; next }
/^[^ ]/ { source = "" }
/^ / {
  path = $1
  if (index(path, root) == 1) path = substr(path, length(root) + 1)
  else if (!sub(/^\.\.\//, "", path)) next  # as a compiler cache writes it: relative to the build folder
  if (!(path in digest)) next
  if (source == "") {
    source = path; name = path; gsub(/\//, "+", name)
    file = out name
    printf "%s", head >file
  }
  print digest[path], path >>file
}
/^$/ { if (source != "") close(file); source = "" }
' "$work/base" "$work/digests" -

[[ -n $(ls "$work/list") ]] || { echo "check_tidy: ninja in $build knows of no object; is everything built?" >&2; exit 1; }
for list in "$work"/list/*; do
  name=${list##*/}
  cmp -s "$list" "$stamps/$name" || printf '%s\n' "$name"
done >"$work/todo"

lint() {
  local source=${3//+//}
  if output=$(clang-tidy $TIDY_ARGS "$source" 2>/dev/null); then
    cp "$1/list/$3" "$2/$3"
  else
    printf '%s\n' "$output"
    return 1
  fi
}
export -f lint
xargs --no-run-if-empty -P "$jobs" -I{} bash -c 'lint "$@"' lint "$work" "$stamps" {} <"$work/todo"
