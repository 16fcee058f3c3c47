#!/usr/bin/env python3
"""Compares tokenizers that inkstone wrote, as the transformers at hand reads them, with inkstone itself: ids of lines.

    python3 tools/compare_saved_tokenizers.py DATA [FOLDER…] [--build build] [--lines 400]

For each family a folder is made of the vocabularies in DATA/vocab, read and saved by inkstone, and what was saved is read
by AutoTokenizer; so is each FOLDER, which may be one that another release saved. Run it once with each release: 4.44 with
tokenizers 0.19 and 5.x. Prints one line for each and ends with 1 when anything differs. Needs transformers.
"""
import argparse
import itertools
import sys
import tempfile

import transformers

import compare_tokenizers as common


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("folders", nargs="*")
    parser.add_argument("--build", default="build")
    parser.add_argument("--lines", type=int, default=400)
    args = parser.parse_args()
    lines = [line[:400] for line in itertools.islice(common.lines_of_data(args.data), 0, 400 * args.lines, 400)]
    texts = lines + list(common.random_texts(args.lines, seed=3))
    differ = 0
    with tempfile.TemporaryDirectory() as to:
        folders = list(common.older_folders(args.data, to)) + [(folder, folder) for folder in args.folders]
        for number, (name, folder) in enumerate(folders):
            copy = f"{to}/saved-{number}"
            ours = common.Ours(args.build, folder, copy)
            ours.ask([])  # it has saved the copy when it answers
            theirs = transformers.AutoTokenizer.from_pretrained(copy)
            _, mine = ours.ask(texts, common.FRAMED)
            bad = [t for t, e in zip(texts, mine) if e[0][0].tolist() != theirs(t)["input_ids"]]
            differ += len(bad)
            print(f"{name:44} {type(theirs).__name__} of {transformers.__version__}: {len(texts)} texts, {len(bad)} differ",
                  *map(repr, bad[:2]), flush=True)
    sys.exit(differ > 0)


main()
