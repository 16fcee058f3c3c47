"""Whole-word masking on one thread, inkstone beside the collator of transformers 4.x, in one run.

    python bench/corrupt.py --program build/bench/corrupt --data ../shared/data

Needs transformers 4.x (version 5 has no such collator), PyTorch and jieba. Two stages: from token ids and the bounds of words
to masked batches, which is what a collator does; and from text, with segmentation (jieba beside ours) and tokenization. Rounds
alternate; the table gives medians.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--program", default="build/bench/corrupt")
parser.add_argument("--data", default="../shared/data")
parser.add_argument("--characters", type=int, default=400_000, help="of text")
parser.add_argument("--rounds", type=int, default=5)
args = parser.parse_args()

BATCH, LENGTH = 32, 128
vocabulary = os.path.join(args.data, "vocab", "bert-chinese.txt")
with open(os.path.join(args.data, "text", "essays.txt"), encoding="utf-8") as file:
    text = file.read(args.characters)


class Inkstone:
    def __init__(self, path):
        self.process = subprocess.Popen([args.program, "--text", path, "--serve"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, "INK_DATA": args.data})

    def run(self):
        """(tokens per second from text to batches, the same from sequences to batches)"""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        tokens, reading, corruption = map(float, self.process.stdout.readline().split())
        return tokens / (reading + corruption), tokens / corruption


class Collator:
    def __init__(self):
        import jieba
        import torch
        import transformers
        from transformers import BertTokenizerFast, DataCollatorForWholeWordMask
        if not transformers.__version__.startswith("4."):
            sys.exit(f"expected transformers 4.x, got {transformers.__version__}")
        self.version = transformers.__version__
        torch.set_num_threads(1)
        self.cut = jieba.lcut
        self.tokenizer = BertTokenizerFast(vocabulary)
        self.collate = DataCollatorForWholeWordMask(self.tokenizer, mlm_probability=0.15)

    def read(self):
        """Text → batches of examples, as the recipe for Chinese whole words prepares them."""
        pieces = [text[start:start + LENGTH - 2].replace("\n", "") for start in range(0, len(text), LENGTH - 2)]
        encoded = self.tokenizer(pieces, truncation=True, max_length=LENGTH)["input_ids"]
        examples = [{"input_ids": ids, "chinese_ref": self.continuations(self.cut(piece), len(ids))}
                    for piece, ids in zip(pieces, encoded)]
        return [examples[i:i + BATCH] for i in range(0, len(examples), BATCH)]

    @staticmethod
    def continuations(words, length):
        """Positions of characters that continue a word, [CLS] being 0."""
        at, positions = 1, []
        for word in words:
            positions += [i for i in range(at + 1, at + len(word)) if i < length - 1]
            at += len(word)
        return positions

    def run(self):
        """(tokens per second from text to batches, the same from ids to batches)"""
        start = time.perf_counter()
        batches = self.read()
        middle = time.perf_counter()
        for batch in batches:
            self.collate(batch)
        end = time.perf_counter()
        tokens = sum(len(example["input_ids"]) for batch in batches for example in batch)
        return tokens / (end - start), tokens / (end - middle)


with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as copy:
    copy.write(text)
    copy.flush()
    ours, theirs = Inkstone(copy.name), Collator()
    ours.run(), theirs.run()  # warm-up
    rounds = [(*ours.run(), *theirs.run()) for _ in range(args.rounds)]
    columns = [statistics.median(column) / 1e3 for column in zip(*rounds)]
our_text, our_ids, their_text, their_ids = columns
print(f"whole-word masking, one thread, thousand tokens per second, median of {args.rounds} rounds")
print(f"{'':22s}{'inkstone':>10s}{'transformers ' + theirs.version:>22s}{'ratio':>8s}")
print(f"{'ids to batches':22s}{our_ids:10.1f}{their_ids:22.1f}{our_ids / their_ids:8.1f}")
print(f"{'text to batches':22s}{our_text:10.1f}{their_text:22.1f}{our_text / their_text:8.1f}")
print(f"ours from text beside theirs from ids: {our_text / their_ids:.1f}")
