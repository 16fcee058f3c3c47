#!/bin/bash
# Checks the form of sources: size of files, width of lines, the first line, words that have no place in main.
set -euo pipefail
cd "$(dirname "$0")/.."

# Files over the limit of 500 lines, each with its reason: "path  reason".
long_files='
text/unicode_tables.cpp  a table written by tools/unicode_tables.py
'

git ls-files --cached --others --exclude-standard -- '*.h' '*.cpp' '*.cu' '*.cuh' |
LC_ALL=C awk -v long_files="$long_files" '
BEGIN {
  n = split(long_files, line, "\n")
  for (i = 1; i <= n; i++) if (split(line[i], part, " ") > 1) reason[part[1]] = 1
}
function complain(text) { print file ":" number ": " text; bad = 1 }
{
  file = $0; number = 0; pragma = 0; last = "x"; in_check = 0
  while ((getline text < file) > 0) {
    number++
    if (number == 1 && text !~ /^\/\/ .*[^ ]/) complain("line 1 should state the formula or the role in one sentence")
    if (text ~ /\t/) complain("a tab")
    if (text ~ /[ \r]$/) complain("blanks at the end of the line")
    if (text ~ /^#pragma once/) pragma = 1
    if (text ~ /TODO|FIXME|HACK|(^|[^uX])XXX([^X]|$)/) complain("unfinished work has no place in main")
    # The arguments of check(call() == 0, …) are evaluated in any order: errno may be read before the call.
    if (text ~ /(^|[^A-Za-z_])check\(/) in_check = 1
    if (in_check && text ~ /errno/) complain("errno inside check(…) may be read before the call; use fail() after it")
    if (text ~ /;/) in_check = 0
    width = text; gsub(/[\200-\277]/, "", width)  # characters, not bytes
    if (length(width) > 100) complain("a line of " length(width) " characters; 100 is the limit")
    last = text
  }
  close(file)
  if (file ~ /\.h$/ && !pragma) complain("a header needs #pragma once")
  if (number > 500 && !(file in reason)) complain("a file of " number " lines; over 500 needs a reason, in tools/check_text.sh")
  if (number <= 500 && (file in reason)) complain("no longer over 500 lines: take it off the list in tools/check_text.sh")
  if (last ~ /^$/) complain("an empty line at the end")
}
END { exit bad }'

# Nothing that is tracked may name a place on the machine where it was written.
if git grep -nIF -e "$PWD/" -e "/home/" -e "/root/" -- . ':!tools/check_text.sh' ':!LICENSE'; then
  echo "a path of one machine"
  exit 1
fi
