#!/bin/bash
# Checks libinkstone.a in the build folder $1: it never ends the program, prints nothing, leaves the processor's x87 state alone,
# and names no path of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
library=$1/libinkstone.a

forbidden='abort|exit|_exit|_Exit|quick_exit|__assert_fail|printf|fprintf|puts|putchar|std::cout|std::cerr|std::clog'
if nm -A -C --undefined-only "$library" | grep -E " U ($forbidden)(@.*)?$"; then
  echo "the library must not use these: it raises ink::Error and leaves printing to its caller"
  exit 1
fi
# Shared inline functions of a file for one instruction set could stand in for everybody's, and end the program elsewhere.
if nm -A -C "$library" | grep -E "_avx[0-9]+\.cpp\.o:[0-9a-f]+ [WV] "; then
  echo "files for one instruction set must not define shared functions: include headers before INK_BEGIN_TARGET"
  exit 1
fi
# Registers of MMX are those of x87: what moves data through them makes NaN of every long double that is computed later.
if objdump -d --no-show-raw-insn "$library" | awk '/file format/ {member = $1} /%mm[0-7]/ {print member $0; found = 1} END {exit !found}'; then
  echo "the library must not use registers of MMX; compile the file with -mno-mmx (CMakeLists.txt)"
  exit 1
fi
if grep -qF "$PWD" "$library"; then
  echo "$library holds the path of this machine: $(strings "$library" | grep -m1 -F "$PWD")"
  exit 1
fi
