#!/usr/bin/env python3
"""Writes text/unicode_tables.cpp: what the fast tokenizers do to every code point, measured, not looked up.

Every table is found by asking the `tokenizers` package (the code that AutoTokenizer runs) about all 1,112,064 code
points, because it mixes Unicode versions that no single edition of the standard contains.

    python3 tools/unicode_tables.py > text/unicode_tables.cpp
"""
import struct
import unicodedata

import numpy
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def bert(**on):
    options = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**(options | on)).normalize_str


clean, space_han = bert(clean_text=True), bert(handle_chinese_chars=True)
strip, lower = bert(strip_accents=True), bert(lowercase=True)
nfd = normalizers.NFD().normalize_str
nfkd = normalizers.NFKD().normalize_str
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


def matched(pattern):
    """Code points that a regular expression of the reference matches."""
    everything = "".join(map(chr, CODE_POINTS))
    kept = set(normalizers.Replace(Regex(pattern), "").normalize_str(everything))
    return [c for c in CODE_POINTS if chr(c) not in kept]


def word_characters():
    """What may not stand beside an added token that is a single word."""
    tokenizer = Tokenizer(models.WordLevel({"x": 0, "?": 1}, unk_token="?"))
    tokenizer.add_tokens([AddedToken("x", single_word=True, normalized=False)])
    found = []
    for at in range(0, len(CODE_POINTS), 10000):
        block = CODE_POINTS[at : at + 10000]
        encoded = tokenizer.encode_batch(["x" + chr(c) for c in block])
        found += [c for c, e in zip(block, encoded) if 0 not in e.ids]
    return [c for c in found if c != ord("x")] + [ord("x")]


def charsmap(keys):
    """The normalizer of SentencePiece that maps each of the characters to "X", as a double array (Yata et al. 2007).

    Every node has a block of 256 units of its own, and all keys share one value, the unit behind the first block.
    """
    units, blocks = {}, {b"": 256}
    value_at, free = 1, 512
    units[0], units[value_at] = 256 << 10, 0x80000000
    for key in keys:
        raw = chr(key).encode()
        for n in range(1, len(raw) + 1):
            if raw[:n] in blocks:
                continue
            position = blocks[raw[: n - 1]] ^ raw[n - 1]
            if n == len(raw):
                goal, leaf = value_at, 1 << 8
            else:
                goal, leaf = free | (position & 255), 0  # so that the offset is a multiple of 256
                blocks[raw[:n]] = goal
                free += 256
            offset = position ^ goal
            encoded = offset << 10 if offset < 1 << 21 else (offset >> 8) << 10 | 1 << 9
            units[position] = encoded | leaf | raw[n - 1]
    array = numpy.zeros(free, dtype="<u4")
    array[list(units)] = list(units.values())
    blob = array.tobytes()
    return normalizers.Precompiled(struct.pack("<I", len(blob)) + blob + b"X\0").normalize_str


def grapheme_classes():
    """Which code points extend a grapheme cluster to their left, none at all, or to their right (UAX #29).

    A cluster of fewer than 6 bytes is looked up as a whole, and its first character's mapping replaces all of it: that
    shows where clusters end. Longer clusters are taken character by character, so what cannot be seen does not matter.
    """
    one = charsmap([ord("a")])
    extending = [c for c in CODE_POINTS if c != ord("a") and one("a" + chr(c)) == "X"]
    low = charsmap([c for c in CODE_POINTS if 0 < c < 0x800])
    middle = charsmap([c for c in CODE_POINTS if 0x800 <= c < 0x10000])
    high = charsmap([c for c in CODE_POINTS if c >= 0x10000])
    maps = [(low, range(1, 0x800)), (middle, range(0x800, 0x10000)), (high, range(0x10000, 0x110000))]
    control = [c for of, block in maps[:2] for c in block if not 0xD800 <= c < 0xE000 and of(chr(c) + "\u0301") != "X"]
    prepended = [c for of, block in maps for c in block if not 0xD800 <= c < 0xE000 and of(chr(c) + "a") == "X"]
    return extending, control, prepended


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
    compatible = {c: nfkd(char(c)) for c in CODE_POINTS if nfkd(char(c)) != nfd(char(c))}
    classes = combining_classes()
    extending, control, prepended = grapheme_classes()
    spaces_of_text = [c for c in CODE_POINTS if normalizers.Strip().normalize_str(char(c)) == ""]
    assert spaces_of_text == matched(r"\s")

    print("// What the fast tokenizers do to every code point.")
    print("//")
    print(f"// Measured on tokenizers {tokenizers.__version__} by tools/unicode_tables.py; never edited by hand.")
    print('#include "text/unicode_tables.h"\n\n// clang-format off\nnamespace ink {\n')
    write_ranges("kDropped", dropped)
    write_ranges("kSpaces", spaces)
    write_ranges("kHan", han)
    write_ranges("kPunctuation", punctuation)
    write_ranges("kNonspacingMarks", marks)
    write_ranges("kAccents", [c for c in CODE_POINTS if normalizers.StripAccents().normalize_str(char(c)) == ""])
    write_ranges("kLetters", matched(r"\p{L}"))
    write_ranges("kNumbers", matched(r"\p{N}"))
    write_ranges("kWhitespace", spaces_of_text)
    write_ranges("kWordCharacters", sorted(word_characters()))
    write_ranges("kExtending", extending)
    write_ranges("kControls", control)
    write_ranges("kPrepended", prepended)
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
    pool, rows = "", []
    for c, to in compatible.items():
        if to not in pool:
            pool += to
        rows.append(f"{{0x{c:X}, {pool.index(to)}, {len(to)}}}")
    write_rows("CompatibleDecomposition", "kCompatible", rows)
    print("static constexpr char32_t kCompatibleTextRows[] = {")
    codes = [f"0x{ord(x):X}" for x in pool]
    for at in range(0, len(codes), 12):
        print("    " + ", ".join(codes[at : at + 12]) + ",")
    print("};\nconstinit const std::span<const char32_t> kCompatibleText = kCompatibleTextRows;\n")
    print("}  // namespace ink\n// clang-format on")


main()
