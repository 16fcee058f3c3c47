#!/usr/bin/env python3
"""Writes text/unicode_tables.cpp: what BERT's fast tokenizer does to every code point, measured, not looked up.

Every table is found by asking the `tokenizers` package (the code that AutoTokenizer runs) about all 1,112,064 code
points, because it mixes Unicode versions that no single edition of the standard contains.

    python3 tools/unicode_tables.py > text/unicode_tables.cpp
"""
import unicodedata

import tokenizers
from tokenizers import normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(options | on)).normalize_str


clean, space_han = bert(clean_text=True), bert(handle_chinese_chars=True)
strip, lower = bert(strip_accents=True), bert(lowercase=True)
nfd = normalizers.NFD().normalize_str
cut = pre_tokenizers.BertPreTokenizer().pre_tokenize_str


def ranges(code_points):
    out = []
    for c in code_points:
        if out and c == out[-1][1] + 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def write_rows(kind, name, rows):
    print(f"static constexpr {kind} {name}Rows[] = {{")
    line = "   "
    for row in rows:
        if len(line) + len(row) + 2 > 100:
            print(line)
            line = "   "
        line += f" {row},"
    print(f"{line}}};\nconstinit const std::span<const {kind}> {name} = {name}Rows;\n")


def write_ranges(name, code_points):
    write_rows("CodeRange", name, [f"{{0x{a:X}, 0x{b:X}}}" for a, b in ranges(code_points)])


def combining_classes():
    """Canonical combining class of every mark, found from the order in which NFD puts it among known marks."""
    probes = {}
    for c in CODE_POINTS:
        k = unicodedata.combining(chr(c))
        # A probe must be a mark the reference knows too: one that it moves across U+0334 (1) or U+0345 (240).
        if k and k not in probes and nfd(chr(c)) == chr(c):
            moves = nfd("a" + chr(c) + "\u0334")[1] == "\u0334" if k > 1 else True
            if moves:
                probes[k] = chr(c)
    values = sorted(probes)
    found = {}
    for c in CODE_POINTS:
        ch = chr(c)
        if nfd(ch) != ch:
            continue
        above_one = nfd("a" + ch + probes[1])[1] == probes[1] and ch != probes[1]
        below_top = nfd("a" + probes[values[-1]] + ch)[1] == ch and ch != probes[values[-1]]
        if not (above_one or below_top):
            continue
        # class > k exactly for the probes that overtake ch
        smaller = [k for k in values if nfd("a" + ch + probes[k])[1] == probes[k] and ch != probes[k]]
        larger = [k for k in values if nfd("a" + probes[k] + ch)[1] == ch and ch != probes[k]]
        rest = [k for k in values if k not in smaller and k not in larger]
        assert len(rest) == 1, (hex(c), rest)
        found[c] = rest[0]
    return found


def lowercase():
    """Runs (first, last, step, delta) of simple mappings; the only expanding one, U+0130, is checked here."""
    mapping = {}
    for c in CODE_POINTS:
        to = lower(chr(c))
        if to != chr(c):
            if c == 0x130:
                assert to == "i\u0307"
                continue
            assert len(to) == 1, hex(c)
            mapping[c] = ord(to) - c
    runs = []
    for c, delta in mapping.items():
        if runs and runs[-1][3] == delta:
            first, last, step, _ = runs[-1]
            if c - last in (1, 2) and (first == last or c - last == step):
                runs[-1] = (first, c, c - last, delta)
                continue
        runs.append((c, c, 1, delta))
    return runs


def main():
    def char(c):
        return chr(c)

    dropped = [c for c in CODE_POINTS if clean("a" + char(c) + "b") == "ab"]
    spaces = [c for c in CODE_POINTS if clean("a" + char(c) + "b") == "a b"]
    han = [c for c in CODE_POINTS if space_han(char(c)) == " " + char(c) + " "]
    gone = set(dropped) | set(spaces)
    punctuation = [
        c for c in CODE_POINTS
        if c not in gone and [w for w, _ in cut("a" + char(c) + "b")] == ["a", char(c), "b"]
    ]
    decomposed = {c: nfd(char(c)) for c in CODE_POINTS if nfd(char(c)) != char(c) and not 0xAC00 <= c <= 0xD7A3}
    marks = [c for c in CODE_POINTS if c not in decomposed and strip("a" + char(c) + "b") == "ab"]
    for c in range(0xAC00, 0xD7A4):  # Hangul follows the arithmetic of the standard, so it needs no table
        index = c - 0xAC00
        jamo = [0x1100 + index // 588, 0x1161 + index % 588 // 28, 0x11A7 + index % 28]
        assert nfd(char(c)) == "".join(map(chr, jamo[: 2 if index % 28 == 0 else 3])), hex(c)
    classes = combining_classes()

    print("// What BERT's fast tokenizer does to every code point.")
    print("//")
    print(f"// Measured on tokenizers {tokenizers.__version__} by tools/unicode_tables.py; never edited by hand.")
    print('#include "text/unicode_tables.h"\n\n// clang-format off\nnamespace ink {\n')
    write_ranges("kDropped", dropped)
    write_ranges("kSpaces", spaces)
    write_ranges("kHan", han)
    write_ranges("kPunctuation", punctuation)
    write_ranges("kNonspacingMarks", marks)
    classed = []
    for c, k in classes.items():
        if classed and classed[-1][1] == c - 1 and classed[-1][2] == k:
            classed[-1][1] = c
        else:
            classed.append([c, c, k])
    write_rows("CombiningRange", "kCombining", [f"{{0x{a:X}, 0x{b:X}, {k}}}" for a, b, k in classed])
    write_rows("LowerRange", "kLower", [f"{{0x{a:X}, 0x{b:X}, {s}, {d}}}" for a, b, s, d in lowercase()])
    rows = []
    for c, to in decomposed.items():
        assert len(to) <= 4
        rows.append(f"{{0x{c:X}, {{" + ", ".join(f"0x{ord(x):X}" for x in to) + "}}")
    write_rows("Decomposition", "kDecompositions", rows)
    print("}  // namespace ink\n// clang-format on")


main()
