#!/bin/bash
# Installs the build in $1 into a scratch folder, moves it, and builds tests/consumer against it: with find_package (both
# libraries) and with pkg-config. Proves that an installed tree is complete and can be moved.
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

DESTDIR="$scratch/stage" cmake --install "$build" --prefix /usr/local >/dev/null
mv "$scratch/stage/usr/local" "$scratch/moved"

# The consumer asks for no warnings of its own, but the headers must not cause any.
export CXXFLAGS="-Wall -Wextra -Werror"
cmake -S "$source/tests/consumer" -B "$scratch/cmake" -G Ninja -DCMAKE_PREFIX_PATH="$scratch/moved" >/dev/null
cmake --build "$scratch/cmake" -- --quiet
"$scratch/cmake/consumer"
"$scratch/cmake/consumer_inference"

PKG_CONFIG_PATH=$(find "$scratch/moved" -type d -name pkgconfig)
export PKG_CONFIG_PATH
read -ra flags < <(pkg-config --cflags --libs inkstone)
g++ -std=c++20 $CXXFLAGS "$source/tests/consumer/consumer.cpp" "${flags[@]}" -o "$scratch/by_pkg_config"
"$scratch/by_pkg_config"
"$scratch/moved/bin/inkstone" --version
