#!/bin/bash
# Installs the Debian packages that the named groups need and this machine lacks: setup.sh [--verbose] build test check …
#
# Each line of the table is a package, its group and a proof that it is there: a program on the path or a file (patterns
# allowed). Looking is all that happens on a complete machine; no package tool is called. Without rights to install, the one
# command to run is printed and the exit code is 1.
set -euo pipefail

table='
g++                 build  g++
cmake               build  cmake
ninja-build         build  ninja
libopenblas-dev     build  /usr/include/*/openblas*/openblas_config.h
nlohmann-json3-dev  build  /usr/include/nlohmann/json.hpp
libcli11-dev        build  /usr/include/CLI/CLI.hpp
libcurl4-openssl-dev build /usr/include/*/curl/curl.h
libopenmpi-dev      build  /usr/include/*/mpi/mpi.h
libgtest-dev        test   /usr/include/gtest/gtest.h
openmpi-bin         test   mpirun
pkg-config          test   pkg-config
libcpp-httplib-dev  test   /usr/include/httplib.h
libbenchmark-dev    bench  /usr/include/benchmark/benchmark.h
clang-format        check  clang-format
clang-tidy          check  clang-tidy
git                 check  git
python3             check  python3
python3-venv        check  /usr/lib/python3*/ensurepip/__init__.py
doxygen             docs   doxygen
'

verbose=no
groups=' '
for word in "$@"; do
  if [[ $word == --verbose ]]; then verbose=yes; else groups+="$word "; fi
done

is_there() {  # a program's name, or a pattern of absolute paths
  if [[ $1 == /* ]]; then compgen -G "$1" >/dev/null || compgen -G "/usr/local${1#/usr}" >/dev/null
  else command -v "$1" >/dev/null; fi
}

missing=()
while read -r package group proof; do
  [[ -n $package && $groups == *" $group "* ]] || continue
  is_there "$proof" || missing+=("$package")
done <<<"$table"

if ((${#missing[@]} == 0)); then
  if [[ $verbose == yes ]]; then echo "setup: everything is there"; fi
  exit 0
fi

if ! command -v apt-get >/dev/null; then
  echo "setup: expected a Debian system with apt-get; please install the equivalents of: ${missing[*]}" >&2
  exit 1
fi

if ((EUID == 0)); then
  as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  as_root=(sudo -n)
else
  echo "setup: packages are missing and installing them needs root; please run once:" >&2
  echo "  su -c 'apt-get update && apt-get install --no-install-recommends ${missing[*]}'" >&2
  exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
quietly() {
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "$@" >"$log" 2>&1
}
install() {
  quietly apt-get install -y -q --no-install-recommends "${missing[@]}"
}

echo "setup: installing Debian packages: ${missing[*]}"
# Lists may be absent (a fresh image) or stale (a package moved on): only then are they fetched.
if ! install; then
  if ! quietly apt-get update -q || ! install; then
    cat "$log" >&2
    echo "setup: apt-get failed, see above; the packages wanted are: ${missing[*]}" >&2
    exit 1
  fi
fi
echo "setup: done"
