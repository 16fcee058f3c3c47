#!/usr/bin/env python3
"""Compares inkstone's tokenizers with the fast tokenizers on everything: ids, segments, words, places; then speed.

    python3 tools/compare_tokenizers.py DATA [--build build] [--only xlnet] [--random 1000000] [--speed]

For each family a folder is made of the vocabularies in DATA/vocab (as transformers saves it, and as the older files),
read by both sides, and compared on every code point in three contexts, random strings, every line of the text in DATA,
pairs, truncation and windows. Prints one line for each and ends with 1 when anything differs. Needs transformers.
"""
import argparse
import contextlib
import glob
import itertools
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RUST_BACKTRACE"] = "0"
os.environ["RAYON_NUM_THREADS"] = "1"
import numpy
import transformers

PAIRS, FRAMED, QUIET, WINDOWS = 1, 2, 4, 8
TRUNCATION = {"longest_first": 0, "only_first": 1, "only_second": 2}


class Ours:
    """build/tools/tokenize_batches on a folder."""

    def __init__(self, build, folder, copy=None):
        self.process = subprocess.Popen([f"{build}/tools/tokenize_batches", folder, *([copy] if copy else [])],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, texts, flags=0, max_length=0, stride=0, truncation="longest_first"):
        """Seconds, and for each text its windows as arrays of 5 rows: ids, segments, words, begins, ends."""
        parts = [struct.pack("<5I", flags, max_length, stride, TRUNCATION[truncation], len(texts))]
        for text in texts:
            for one in text if flags & PAIRS else [text]:
                data = one.encode()
                parts += [struct.pack("<I", len(data)), data]
        self.process.stdin.write(b"".join(parts))
        self.process.stdin.flush()
        seconds = struct.unpack("<d", self.read(8))[0]
        if flags & QUIET:
            return seconds, []
        return seconds, [[self.window() for _ in range(self.number())] for _ in texts]

    def window(self):
        tokens = self.number()
        return numpy.frombuffer(self.read(20 * tokens), dtype="<i4").reshape(5, tokens)

    def number(self):
        return struct.unpack("<I", self.read(4))[0]

    def read(self, size):
        data = self.process.stdout.read(size)
        if len(data) < size:
            raise SystemExit("tokenize_batches ended early")
        return data


def rows(encoding):
    begins, ends = zip(*encoding.offsets) if encoding.offsets else ((), ())
    words = [-1 if w is None else w for w in encoding.word_ids]
    return numpy.array([encoding.ids, encoding.type_ids, words, begins, ends], dtype="<i4").reshape(5, -1)


# ── what is compared ──────────────────────────────────────────────────────────────────────────────────────────────────

CONTEXTS = [lambda c: c, lambda c: f"a{c}b", lambda c: f"é e\u0301{c}\u0323\u00e9 1"]


def every_code_point():
    points = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    for context in CONTEXTS:
        for c in points:
            yield context(chr(c))


POOLS = [(0x20, 0x7E), (0x41, 0x7A), (0x20, 0x40), (0, 0x20), (0x80, 0xFF), (0x100, 0x24F), (0x300, 0x36F), (0x370, 0x52F),
         (0x591, 0x6FF), (0x900, 0xDFF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2100, 0x24FF),
         (0x3000, 0x30FF), (0x3200, 0x33FF), (0x4E00, 0x9FFF), (0x4E00, 0x4FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF),
         (0xFE00, 0xFFFF), (0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF), (0x1F300, 0x1F6FF), (0, 0xD7FF), (0xE000, 0x10FFFF)]
PIECES = [" ", "  ", "\n", "\t", "\u3000", "'s", "'ll", "``", "''", "the", " of", "中国", "▁", "[MASK]", "<mask>", "<s>", "[SEP]",
          "\r\n", "e\u0301", "ﬁ", "①", "\u200d", "\ufe0f", "1", "2024", "...", "Ａ", "Ｂ", "İ", "Σ", "ß"]


def random_texts(count, seed=1):
    draw = random.Random(seed)
    for _ in range(count):
        pools = [draw.choice(POOLS) for _ in range(3)]
        yield "".join(draw.choice(PIECES) if draw.random() < 0.15 else chr(draw.randint(*draw.choice(pools)))
                      for _ in range(draw.randrange(24)))


def lines_of_data(data):
    for path in sorted(glob.glob(f"{data}/**/*", recursive=True)):
        if path.endswith((".txt", ".tsv", ".json", ".conll")) and "/vocab/" not in path:
            with open(path, encoding="utf8", newline="\n") as f:
                for line in f:
                    yield line.rstrip("\n")[:20000]


def batches(texts, characters=1 << 19):
    """The texts in lists of about so many characters: a reference's token takes some hundred bytes."""
    batch, size = [], 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= characters:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def compare(name, ours, tokenizer, texts):
    count = differ = 0
    for batch in batches(texts):
        theirs = tokenizer._tokenizer.encode_batch(batch, add_special_tokens=False)
        for text, [own], other in zip(batch, ours.ask(batch)[1], theirs):
            count += 1
            if not numpy.array_equal(own, rows(other)):
                differ += 1
                if differ <= 3:
                    print(f"  {text!r}\n    ours   {own.tolist()}\n    theirs {rows(other).tolist()}")
    print(f"{name:44} {count:9} texts {differ:7} differ", flush=True)
    return differ


@contextlib.contextmanager
def silence():
    """No word on the file descriptor of stderr: the reference panics where a stride is too long, and says so at length."""
    kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(null)


def same_window(ours, theirs, number):
    """All rows; but in later windows the reference numbers the second text's segments 1 whatever the template says (it
    sets them in the first alone), which models with one segment have no embedding for: ours follow the template."""
    theirs = rows(theirs)
    if ours.shape != theirs.shape:
        return False
    compared = [0, 2, 3, 4] if number > 0 and not ours[1].any() else [0, 1, 2, 3, 4]
    return numpy.array_equal(ours[compared], theirs[compared])


def compare_sequences(name, ours, tokenizer, texts, pairs):
    """Framing, truncation and windows, singly and in pairs."""
    count = differ = 0
    for pair, strategy, length, stride in itertools.product(
            (False, True), TRUNCATION, (0, 9, 12, 17, 40), (0, 3)):
        if not pair and strategy != "only_first":
            continue
        batch = pairs if pair else texts
        encoder = tokenizer._tokenizer
        encoder.no_truncation()
        kept = []
        for one in batch:
            with silence():
                try:
                    if length:
                        encoder.enable_truncation(length, stride=stride, strategy=strategy)
                    first = encoder.encode(*one) if pair else encoder.encode(one)
                    kept.append((one, [first, *first.overflowing]))
                except BaseException:  # the reference's error or panic: ours raises an error
                    pass
        encoder.no_truncation()
        kept = [(one, found) for one, found in kept if all(len(e.ids) <= (length or 1 << 30) for e in found)]
        _, own = ours.ask([one for one, _ in kept], WINDOWS | FRAMED | (PAIRS if pair else 0), length, stride, strategy)
        for (one, theirs), mine in zip(kept, own):
            count += 1
            if len(mine) != len(theirs) or not all(map(same_window, mine, theirs, itertools.count())):
                differ += 1
                if differ <= 2:
                    print(f"  {one!r} {strategy} {length} {stride}\n    ours   {[m.tolist() for m in mine]}"
                          f"\n    theirs {[rows(b).tolist() for b in theirs]}")
    print(f"{name:44} {count:9} texts {differ:7} differ", flush=True)
    return differ


def compare_saved(name, build, folder, texts):
    """What ours writes is read by transformers alike, with tokenizer.json and with the older files alone."""
    differ, copy = 0, f"{folder}-saved"
    ours = Ours(build, f"{folder}-json", copy)
    ours.ask([])
    shutil.copyfile(f"{folder}/config.json", f"{copy}/config.json")
    differ += compare(f"{name}: transformers reads what is saved", ours,
                      transformers.AutoTokenizer.from_pretrained(copy), texts)
    os.remove(f"{copy}/tokenizer.json")
    return differ + compare(f"{name}: transformers reads older files", ours,
                            transformers.AutoTokenizer.from_pretrained(copy), texts)


def measure(name, ours, tokenizer, texts, rounds=7):
    """Seconds of both in turns, one thread each; theirs is encode_batch_fast or encode_batch, whichever is quicker."""
    encode = {f: getattr(tokenizer._tokenizer, f) for f in ("encode_batch", "encode_batch_fast")
              if hasattr(tokenizer._tokenizer, f)}
    own, other = [], {f: [] for f in encode}
    for _ in range(rounds):
        own.append(ours.ask(texts, QUIET)[0])
        for f, call in encode.items():
            start = time.perf_counter()
            call(texts, add_special_tokens=False)
            other[f].append(time.perf_counter() - start)
    best = min(other, key=lambda f: min(other[f]))
    size = sum(len(t.encode()) for t in texts) / 1e6
    print(f"{name:44} ours {size / min(own):7.1f} MB/s  {best} {size / min(other[best]):7.1f} MB/s  "
          f"ratio {min(other[best]) / min(own):5.2f}", flush=True)


# ── folders ───────────────────────────────────────────────────────────────────────────────────────────────────────────

def write_json(path, value):
    with open(path, "w", encoding="utf8") as f:
        json.dump(value, f)


def sentencepiece(data, rename, drop=()):
    """The model in DATA with other names for its control pieces."""
    from sentencepiece import sentencepiece_model_pb2
    model = sentencepiece_model_pb2.ModelProto()
    with open(f"{data}/vocab/sentencepiece-zh.model", "rb") as f:
        model.ParseFromString(f.read())
    for piece in model.pieces:
        piece.piece = rename.get(piece.piece, piece.piece)
    kept = [p for p in model.pieces if p.piece not in drop]
    del model.pieces[:]
    model.pieces.extend(kept)
    return model.SerializeToString()


def older_folders(data, to):
    """name → (folder, its class) in the older files."""
    vocab = f"{data}/vocab"
    plan = [("bert-uncased", "BertTokenizer", "bert", {"do_lower_case": True}),
            ("bert-cased", "BertTokenizer", "bert", {"do_lower_case": False}),
            ("bert-english", "BertTokenizer", "bert", {}),
            ("bert-odd", "BertTokenizer", "bert", {"do_lower_case": False, "strip_accents": True,
                                                   "tokenize_chinese_chars": False}),
            ("roberta", "RobertaTokenizer", "roberta", {}),
            ("roberta-prefix", "RobertaTokenizer", "roberta", {"add_prefix_space": True}),
            ("xlm-roberta", "XLMRobertaTokenizer", "xlm-roberta", {}),
            ("albert", "AlbertTokenizer", "albert", {}),
            ("albert-accents", "AlbertTokenizer", "albert", {"keep_accents": True, "do_lower_case": False}),
            ("xlnet", "XLNetTokenizer", "xlnet", {})]
    for name, cls, kind, options in plan:
        folder = f"{to}/{name}"
        os.makedirs(folder)
        write_json(f"{folder}/tokenizer_config.json", {"tokenizer_class": cls, **options})
        write_json(f"{folder}/config.json", {"model_type": kind})
        if kind == "bert":
            shutil.copyfile(f"{vocab}/bert-{'english-uncased' if 'english' in name else 'chinese'}.txt", f"{folder}/vocab.txt")
        elif kind == "roberta":
            shutil.copyfile(f"{vocab}/gpt2-encoder.json", f"{folder}/vocab.json")
            shutil.copyfile(f"{vocab}/gpt2-merges.txt", f"{folder}/merges.txt")
        else:
            rename = {"xlm-roberta": {"<pad>": "<p>", "<mask>": "<m>"}, "xlnet": {},
                      "albert": {"<cls>": "[CLS]", "<sep>": "[SEP]", "<mask>": "[MASK]"}}[kind]
            file = "sentencepiece.bpe.model" if kind == "xlm-roberta" else "spiece.model"
            model = sentencepiece(data, rename)
            if kind == "albert":  # its class takes the unknown token to be the second piece
                model = reordered(model)
            with open(f"{folder}/{file}", "wb") as f:
                f.write(model)
        yield name, folder


def reordered(blob):
    from sentencepiece import sentencepiece_model_pb2
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(blob)
    order = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    pieces = {p.piece: p for p in model.pieces}
    kept = [pieces[p] for p in order] + [p for p in model.pieces if p.piece not in order]
    copies = [type(p).FromString(p.SerializeToString()) for p in kept]
    del model.pieces[:]
    model.pieces.extend(copies)
    return model.SerializeToString()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", default="")
    parser.add_argument("--random", type=int, default=1000000)
    parser.add_argument("--speed", action="store_true", help="speed alone")
    parser.add_argument("--quick", action="store_true", help="random strings, folders and sequences alone")
    args = parser.parse_args()
    differ = 0
    with tempfile.TemporaryDirectory() as to:
        for name, folder in older_folders(args.data, to):
            if not name.startswith(args.only):
                continue
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
            tokenizer.save_pretrained(f"{folder}-json")
            ours = Ours(args.build, f"{folder}-json")
            if args.speed:
                with open(f"{args.data}/text/essays.txt", encoding="utf8") as f:
                    measure(f"{name}, Chinese", ours, tokenizer, f.read().split("\n"))
                with open(f"{args.data}/sst2/train.tsv", encoding="utf8") as f:
                    measure(f"{name}, English", ours, tokenizer, f.read().split("\n"))
                continue
            texts = list(random_texts(2000, seed=2))
            for older in (folder, f"{folder}-json"):
                differ += compare(f"{name}: reads {'tokenizer.json' if older.endswith('json') else 'older files'}",
                                  Ours(args.build, older), tokenizer, texts)
            differ += compare_saved(name, args.build, folder, texts)
            # Short, as the reference's windows of windows of pairs grow without bounds.
            subset = [t[:40] for t in itertools.islice(lines_of_data(args.data), 400) if t][:60]
            differ += compare_sequences(f"{name}: sequences", ours, tokenizer, subset + texts[:60],
                                        list(zip(texts[:60] + subset, texts[60:120] + subset[::-1])))
            differ += compare(f"{name}: random strings", ours, tokenizer, random_texts(args.random))
            if args.quick:
                continue
            differ += compare(f"{name}: every code point, three contexts", ours, tokenizer, every_code_point())
            differ += compare(f"{name}: every line of the data", ours, tokenizer, lines_of_data(args.data))
    sys.exit(differ > 0)


if __name__ == "__main__":
    main()
