#!/bin/bash
# Checks who includes whom: reads the #include "…" lines of every source and compares them with the arrows below.
set -euo pipefail
cd "$(dirname "$0")/.."

# from: what it may include, folders (all of their headers) or single headers. Its own folder is always allowed.
# tensor/ops is the op files; tensor is everything else in tensor/, which must not look up at the ops' files, and at the
# CUDA device only for the kernels of updates.
arrows='
tensor/ops:  tensor cuda
tensor:      cuda/kernel.cuh cuda/launch.h cuda/in_flight.cuh cuda/map.cuh cuda/pieces.cuh
cuda:        tensor
autograd:    tensor cuda
nn:          tensor
text:        tensor/error.h tensor/dtype.h tensor/shape.h tensor/tensor.h tensor/packed.h tensor/byte_reader.h tensor/json.h tensor/json_bounded.h tensor/file.h tensor/philox.h tensor/parallel.h tensor/simd.h tensor/fingerprint.h
objectives:  tensor autograd nn text
tasks:       tensor autograd nn text
compress:    tensor autograd nn text objectives tasks
cli:         tensor autograd nn text objectives tasks compress
bench:       tensor cuda autograd nn text objectives tasks compress
tools:       tensor autograd nn text objectives tasks compress
examples:    inkstone.h tensor autograd nn text objectives tasks compress
tests:       inkstone.h tensor tensor/ops cuda autograd nn text objectives tasks compress
'

# Heavy third-party headers: at most one file of the project includes each, so that only that file pays for them.
heavy='nlohmann/ CLI/ curl/ httplib mpi.h nccl.h'

git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp' '*.cu' '*.cuh' | awk -v arrows="$arrows" -v heavy="$heavy" '
BEGIN {
  n = split(arrows, line, "\n")
  for (i = 1; i <= n; i++) {
    if (split(line[i], part, ":") < 2) continue
    from = part[1]; known[from] = 1; may[from] = " " part[2] " "
    gsub(/  +/, " ", may[from])
  }
  heavies = split(heavy, prefix, " ")
}
function folder_of(path) {
  if (path ~ /^tensor\/ops\//) return "tensor/ops"
  return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : path
}
function complain(text) { print file ":" number ": " text; bad = 1 }
{
  file = $0; from = folder_of(file); number = 0
  if (!(from in known)) next
  while ((getline text < file) > 0) {
    number++
    if (text !~ /^[ \t]*#[ \t]*include/) continue
    name = text; sub(/^[ \t]*#[ \t]*include[ \t]*["<]/, "", name); sub(/[">].*/, "", name)
    if (text ~ /</) {
      for (i = 1; i <= heavies; i++) {
        if (index(name, prefix[i]) != 1) continue
        if (!(prefix[i] in seat)) seat[prefix[i]] = file
        if (seat[prefix[i]] != file) complain("<" name "> is already included by " seat[prefix[i]])
      }
      continue
    }
    to = folder_of(name)
    if (to == from) continue
    if (index(may[from], " " to " ") || index(may[from], " " name " ")) continue
    complain(from " must not include \"" name "\" (allowed:" may[from] ")")
  }
  close(file)
}
END { exit bad }'
