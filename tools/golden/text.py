#!/usr/bin/env python3
"""Writes tests/golden/text.json: what the reference tokenizer and segmenter say, as hashes and samples.

    python3 tools/golden/text.py DATA [JIEBA] > tests/golden/text.json

DATA is the folder of real data that INK_DATA names; JIEBA a folder with jieba's dict.txt and finalseg (default: of the
installed package). Needs transformers, jieba and numpy. Only numbers and own sentences are written, no data of others.
"""
import itertools
import json
import os
import sys

import jieba
import numpy
import tokenizers
import transformers

jieba.setLogLevel(60)
DATA = sys.argv[1]
JIEBA = sys.argv[2] if len(sys.argv) > 2 else os.path.dirname(jieba.__file__)
MASK = (1 << 64) - 1


def mix(x):
    """splitmix64 on an array of 64-bit words."""
    with numpy.errstate(over="ignore"):
        x = x + numpy.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return x ^ (x >> numpy.uint64(31))


class Hash:
    """Sum over i of mix(i * 2^32 + value i): depends on order, and is quick in numpy and C++ alike."""

    def __init__(self):
        self.count, self.sum = 0, 0

    def add(self, values):
        v = numpy.array(values, dtype=numpy.int64).astype(numpy.uint64) & numpy.uint64(0xFFFFFFFF)
        i = numpy.arange(self.count, self.count + len(v), dtype=numpy.uint64) << numpy.uint64(32)
        self.sum = (self.sum + int(mix(i | v).sum(dtype=numpy.uint64))) & MASK
        self.count += len(v)

    def text(self):
        return f"{self.sum:016x}"


def bert(vocab, **options):
    return transformers.BertTokenizer(vocab=vocab, **options)._tokenizer


def read_vocab(name):
    with open(f"{DATA}/vocab/{name}", encoding="utf8", newline="\n") as f:
        return {line.rstrip("\n"): i for i, line in enumerate(f)}


def values_of(encoding):
    words = [-1 if w is None else w for w in encoding.word_ids]
    return [len(encoding.ids), *encoding.ids, *itertools.chain(*encoding.offsets), *words]


def hash_encodings(tokenizer, texts):
    total, tokens = Hash(), 0
    for at in range(0, len(texts), 1000):
        values = []
        for encoding in tokenizer.encode_batch(texts[at : at + 1000]):
            values += values_of(encoding)
            tokens += len(encoding.ids)
        total.add(values)
    return {"texts": len(texts), "tokens": tokens, "hash": total.text()}


def strings_of(value):
    """All string values of a JSON value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings_of(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings_of(item)


def lines_of(path):
    with open(f"{DATA}/{path}", encoding="utf8", newline="\n") as f:
        return f.read().split("\n")


def texts_of(path):
    if path.endswith(".json"):
        with open(f"{DATA}/{path}", encoding="utf8") as f:
            return list(strings_of(json.load(f)))
    return lines_of(path)


def files():
    chinese, english = "bert-chinese.txt", "bert-english-uncased.txt"
    plan = [("cmrc2018/trial.json", chinese, True), ("cmrc2018/dev.json", chinese, True),
            ("cmrc2018/train.json", chinese, True), ("xquad/zh.json", chinese, True), ("xquad/en.json", english, True),
            ("sst2/dev.tsv", english, True), ("sst2/train.tsv", english, True), ("text/essays.txt", chinese, False)]
    for path, vocab, lower in plan:
        tokenizer = bert(read_vocab(vocab), do_lower_case=lower)
        yield {"path": path, "vocab": f"vocab/{vocab}", "do_lower_case": lower,
               **hash_encodings(tokenizer, texts_of(path))}


OPTIONS = [dict(do_lower_case=True, strip_accents=None, tokenize_chinese_chars=True),
           dict(do_lower_case=False, strip_accents=None, tokenize_chinese_chars=True),
           dict(do_lower_case=False, strip_accents=True, tokenize_chinese_chars=False),
           dict(do_lower_case=True, strip_accents=False, tokenize_chinese_chars=True)]
TINY = {t: i for i, t in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])}


def words_and_places(tokenizer, texts):
    """For each text: normalized words, then the places in the text (every word is one [UNK] here)."""
    out = []
    for text, encoding in zip(texts, tokenizer.encode_batch(texts, add_special_tokens=False)):
        words = [w for w, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))]
        out.append(len(words))
        for word in words:
            out.append(len(word))
            out += map(ord, word)
        out += values_of(encoding)
    return out


def sweep():
    """Every code point alone, between letters, and among accents; 64 to a text, kept apart by spaces."""
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for options in OPTIONS:
        tokenizer = bert(TINY, **options)
        total = Hash()
        for at in range(0, len(points), 64):
            chars = [chr(c) for c in points[at : at + 64]]
            texts = [" ".join(chars), " ".join(f"a{c}b" for c in chars), " ".join(f"e\u0301{c}\u0323\u00e9" for c in chars)]
            total.add(words_and_places(tokenizer, texts))
        yield {**options, "hash": total.text()}


POOLS = [(0x20, 0x7E), (0x41, 0x7A), (0xA0, 0x24F), (0x300, 0x36F), (0x370, 0x52F), (0x591, 0x6FF), (0x900, 0xDFF),
         (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF),
         (0xFE00, 0xFFFF), (0x1D100, 0x1D1FF), (0x1F300, 0x1F6FF)]


def random_texts(count):
    """Text k: up to 23 characters from up to 3 pools, drawn with splitmix64 of a running number."""
    number = 0

    def draw(n):
        nonlocal number
        number += 1
        return int(mix(numpy.array([number], dtype=numpy.uint64))[0]) % n

    for _ in range(count):
        pools = [POOLS[draw(len(POOLS))] for _ in range(3)]
        chars = []
        for _ in range(draw(24)):
            first, last = pools[draw(3)]
            chars.append(chr(first + draw(last - first + 1)))
        yield "".join(chars)


def random_hash():
    texts = list(random_texts(20000))
    for options in OPTIONS:
        total = Hash()
        total.add(words_and_places(bert(TINY, **options), texts))
        yield {**options, "texts": len(texts), "hash": total.text()}


VOCAB = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ink", "##stone", "##s", "in", "##k", "砚", "台", "磨", "墨", "。",
         "，", ".", ",", "!", "?", "'", "[", "]", "mask", "cafe", "a", "b", "##b", "c", "d", "e", "x", "##x", "2", "##0", "##2",
         "##6", "ᄒ", "##ᅡ", "##ᆫ"]
SENTENCES = ["砚台磨墨。", "Inkstones, ink!", "[MASK]磨[MASK] [mask]", "CAFÉ café cafe\u0301", "a b  ab abb abx", "2026 202 20",
             "한 국", "", " \t\n", "墨\u200b墨\u00ad墨", "[CLS][SEP][[MASK]]", "x" * 100, "x" * 101, "\U00020000砚 inkling",
             "\u3000\u2028a\u0085b", "İ I\u0307", "e\u0301\u0316\u0323", "\u0000a\ufffdb", "[MASK [MASK]"]
PAIRS = [("a b c d e", "x x x"), ("a", "b b b b b b"), ("", "a b"), ("a b c", ""), ("磨墨磨墨", "砚台砚台砚台")]


def samples():
    tokenizer = bert({t: i for i, t in enumerate(VOCAB)})
    for text in SENTENCES:
        e = tokenizer.encode(text)
        yield {"text": text, "ids": e.ids, "offsets": list(itertools.chain(*e.offsets)),
               "words": [-1 if w is None else w for w in e.word_ids],
               "decoded": tokenizer.decode(e.ids), "decoded_all": tokenizer.decode(e.ids, skip_special_tokens=False)}


def pairs():
    tokenizer = bert({t: i for i, t in enumerate(VOCAB)})
    for first, second in PAIRS:
        for length in (0, *range(3, 13)):
            if length:
                tokenizer.enable_truncation(length, strategy="longest_first")
            else:
                tokenizer.no_truncation()
            e = tokenizer.encode(first, second)
            yield {"first": first, "second": second, "max_length": length, "ids": e.ids, "segments": e.type_ids,
                   "offsets": list(itertools.chain(*e.offsets)), "words": [-1 if w is None else w for w in e.word_ids]}


def segmentation():
    """Word ends of every n-th line: jieba's default mode, and the one without its model."""
    plan = [("text/essays.txt", 5), ("text/laws.txt", 80), ("text/tech-docs.txt", 15)]
    for dictionary in (f"{JIEBA}/dict.txt", f"{DATA}/segmentation/jieba-dict-small.txt"):
        segmenter = jieba.Tokenizer(dictionary)
        segmenter.cache_file = f"inkstone-golden-{os.getpid()}.cache"
        segmenter.tmp_dir = "/tmp"
        segmenter.initialize()
        os.remove(f"/tmp/{segmenter.cache_file}")
        for path, every in plan:
            lines = lines_of(path)[::every]
            row = {"dictionary": os.path.basename(dictionary), "dictionary_bytes": os.path.getsize(dictionary),
                   "path": path, "every": every, "lines": len(lines)}
            for name, hmm in (("hash", True), ("hash_without_hmm", False)):
                total, words = Hash(), 0
                for line in lines:
                    ends = list(itertools.accumulate(len(w) for w in segmenter.cut(line, HMM=hmm)))
                    words += len(ends)
                    total.add([len(ends), *ends])
                row[name] = total.text()
                row[name.replace("hash", "words")] = words
            yield row


def main():
    golden = {
        "made_by": "tools/golden/text.py",
        "tokenizers": tokenizers.__version__, "transformers": transformers.__version__, "jieba": jieba.__version__,
        "vocab": VOCAB, "samples": list(samples()), "pairs": list(pairs()), "sweep": list(sweep()),
        "random": list(random_hash()), "files": list(files()), "segmentation": list(segmentation()),
    }
    print("{")
    rows = [f' "{key}": ' + ("[\n  " + ",\n  ".join(json.dumps(x, ensure_ascii=False) for x in value) + "]"
                             if isinstance(value, list) and isinstance(value[0], dict)
                             else json.dumps(value, ensure_ascii=False)) for key, value in golden.items()]
    print(",\n".join(rows) + "\n}")


if __name__ == "__main__":
    main()
