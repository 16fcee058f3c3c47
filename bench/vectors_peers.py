"""Trains word vectors with inkstone and gensim on the same words: seconds, words a second, agreement of neighbours.

    python bench/vectors_peers.py --text FILE [--program build/inkstone] [--dictionary FILE] [--threads 2] [--epochs 5]

Needs gensim. Text is cut in words by `inkstone segment` once, so that both read the same words in the same lines.
Agreement is the mean share of a word's 10 nearest neighbours that two runs have in common, over words of the ranks
named; two seeds of each program show how much of it chance takes away.
"""
import argparse
import os
import subprocess
import tempfile
import time

import numpy as np
from gensim.models import KeyedVectors, Word2Vec
from gensim.models.word2vec import LineSentence

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--text", required=True)
parser.add_argument("--program", default="build/inkstone")
parser.add_argument("--dictionary", default="")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--epochs", type=int, default=5)
args = parser.parse_args()
RANKS = ((50, 2000), (2000, 10000), (10000, 10**9))
dictionary = ["--dictionary", args.dictionary] if args.dictionary else []


def timed(f):
    """Seconds on the clock and of the processors, children included."""
    def now():
        t = os.times()
        return np.array([time.perf_counter(), t.user + t.system + t.children_user + t.children_system])
    start = now()
    f()
    return now() - start


def inkstone(text, out, seed):
    command = [args.program, "vectors", "--text", text, "--out", out, "--format", "binary", "--seed", str(seed),
               "--epochs", str(args.epochs), "--threads", str(args.threads)]
    subprocess.run(command + dictionary, check=True, capture_output=True)


def gensim(words, out, seed):
    model = Word2Vec(LineSentence(words), vector_size=100, window=5, negative=5, sg=1, min_count=5, sample=1e-3,
                     epochs=args.epochs, workers=args.threads, seed=seed, min_alpha=2.5e-6)
    model.wv.save_word2vec_format(out, binary=True)


def nearest(vectors, words):
    unit = vectors.get_normed_vectors()
    rows = [vectors.key_to_index[w] for w in words]
    cosines = unit[rows] @ unit.T
    cosines[np.arange(len(rows)), rows] = -2
    return [{vectors.index_to_key[j] for j in best} for best in np.argsort(-cosines, axis=1)[:, :10]]


with tempfile.TemporaryDirectory() as folder:
    words = os.path.join(folder, "words.txt")
    with open(args.text, encoding="utf-8") as text, open(words, "wb") as out:
        subprocess.run([args.program, "segment"] + dictionary, stdin=text, stdout=out, check=True)
    with open(words, encoding="utf-8") as lines:  # what inkstone counts as words: no punctuation, no capitals
        kept = [" ".join(w.lower() for w in line.split() if any(c.isalnum() for c in w)) for line in lines]
    count = sum(len(line.split()) for line in kept)
    with open(words, "w", encoding="utf-8") as out:
        out.write("\n".join(kept) + "\n")
    runs = {}
    for seed in (1, 2):
        for name, train, source in (("inkstone", inkstone, args.text), ("gensim", gensim, words)):
            path = os.path.join(folder, f"{name}{seed}.bin")
            seconds, processors = timed(lambda: train(source, path, seed))
            rate = count * args.epochs / seconds / 1e3
            print(f"{name:>9s} seed {seed}: {seconds:6.1f} s, {processors:6.1f} s of processors, {rate:6.0f} k words/s")
            runs[f"{name} {seed}"] = KeyedVectors.load_word2vec_format(path, binary=True)

common = [w for w in runs["gensim 1"].index_to_key if all(w in run for run in runs.values())]
for low, high in RANKS:
    pool = common[low:high]
    if len(pool) < 100:
        continue
    sample = [pool[i] for i in np.random.RandomState(0).choice(len(pool), min(800, len(pool)), replace=False)]
    tables = {name: nearest(run, sample) for name, run in runs.items()}
    print(f"\nneighbours in common, words of rank {low} to {low + len(pool)}")
    for name, mine in tables.items():
        shares = (np.mean([len(a & b) / 10 for a, b in zip(mine, other)]) for other in tables.values())
        print(f"{name:>12s}" + "".join(f"{share:7.3f}" for share in shares))
