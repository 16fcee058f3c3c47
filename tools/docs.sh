#!/bin/bash
# Makes the reference of all headers and the guides in docs/ as HTML: docs.sh BUILD → BUILD/docs/html/index.html
set -euo pipefail
cd "$(dirname "$0")/.."
out=$1/docs
mkdir -p "$out"

# Headers speak in plain comments. Doxygen wants to be told which are documentation: the first block is the file's, a
# comment above something is its own, and one behind something is too.
cat >"$out/filter.awk" <<'END'
NR == 1 && /^\/\// { print "/// \\file"; head = 1 }
head && !/^\/\// { head = 0 }
/^ *\/\/ / {
  sub(/\/\/ /, "/// ")
  if ($0 !~ /\/\/\/     /) { gsub(/</, "\\\\<"); gsub(/#/, "\\\\#") }  # prose; deeper indents are code
  print
  next
}
/^ *\/\/$/ { sub(/\/\//, "///"); print; next }
/[;,] +\/\/ / { sub(/\/\/ /, "///< "); print; next }
{ print }
END

doxygen - <<END
PROJECT_NAME           = inkstone
PROJECT_BRIEF          = "Language models on the inkstone: pre-train, then grind down"
OUTPUT_DIRECTORY       = "$out"
INPUT                  = README.md docs inkstone.h tensor autograd nn text objectives tasks compress
FILE_PATTERNS          = *.h *.md
RECURSIVE              = YES
USE_MDFILE_AS_MAINPAGE = README.md
FILTER_PATTERNS        = "*.h=awk -f $out/filter.awk"
FULL_PATH_NAMES        = YES
STRIP_FROM_PATH        = "$PWD"
JAVADOC_AUTOBRIEF      = YES
EXTRACT_ALL            = YES
EXTRACT_STATIC         = NO
EXCLUDE_SYMBOLS        = *::detail *::detail::*
GENERATE_LATEX         = NO
QUIET                  = YES
WARNINGS               = NO
WARN_LOGFILE           = $out/warnings
HTML_TIMESTAMP         = NO
HAVE_DOT               = NO
END
echo "$out/html/index.html"
