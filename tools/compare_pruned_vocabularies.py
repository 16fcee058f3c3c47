#!/usr/bin/env python3
"""Prunes the vocabulary of every kind of tokenizer and compares what is left with the original, as other programs read both.

    python3 tools/compare_pruned_vocabularies.py DATA [--build build] [--lines 4000]

For each family a model folder is made of the vocabularies in DATA/vocab (older files, and once more with tokenizer.json),
with a tiny body, and pruned by `inkstone prune --mode vocabulary` on lines of DATA. Then, of the files that inkstone wrote:

    kept     on those lines, transformers' tokens of the pruned folder are those of the original folder, renumbered;
             so are they from the older files alone, without tokenizer.json
    ours     on those lines, on other ones and on random texts, inkstone and transformers say the same of the pruned folder
    pieces   all scores of the pruned .model are those of the original, and on those lines that sentencepiece, which normalizes
             a text in a way of its own, cuts into kept pieces alone, so are the pieces

Prints one line for each and ends with 1 when anything differs. Needs transformers and sentencepiece.
"""
import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile

import numpy
import safetensors.numpy
import sentencepiece
import transformers

import compare_tokenizers as common

OLDER = ("vocab.txt", "vocab.json", "merges.txt", "spiece.model", "sentencepiece.bpe.model")
C, F = 8, 16  # channels, and of the FFN


def write_body(folder, tokens):
    """A BERT of one layer, whatever the tokenizer: its table has a row for each token."""
    shapes = {"embeddings.word_embeddings.weight": (tokens, C), "embeddings.position_embeddings.weight": (64, C),
              "embeddings.token_type_embeddings.weight": (4, C)}
    layer = "encoder.layer.0."
    for name, rows, columns in [("attention.self.query", C, C), ("attention.self.key", C, C), ("attention.self.value", C, C),
                                ("attention.output.dense", C, C), ("intermediate.dense", F, C), ("output.dense", C, F)]:
        shapes[f"{layer}{name}.weight"], shapes[f"{layer}{name}.bias"] = (rows, columns), (rows,)
    for name in ("embeddings.LayerNorm", f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"):
        shapes[f"{name}.weight"] = shapes[f"{name}.bias"] = (C,)
    draw = numpy.random.default_rng(1)
    tensors = {name: draw.normal(size=shape).astype("f4") for name, shape in shapes.items()}
    safetensors.numpy.save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})
    common.write_json(f"{folder}/config.json",
                      {"model_type": "bert", "vocab_size": tokens, "hidden_size": C, "num_hidden_layers": 1,
                       "num_attention_heads": 2, "intermediate_size": F,
                       "max_position_embeddings": 64, "type_vocab_size": 4})


def ids_of(folder, texts):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    return tokenizer, [tokenizer(text)["input_ids"] for text in texts]


def renumbered(rows, kept):
    new_id = {old: new for new, old in enumerate(kept)}
    return [[new_id.get(i) for i in row] for row in rows]


def differing(texts, ours, theirs):
    bad = [text for text, a, b in zip(texts, ours, theirs) if list(a) != list(b)]
    return len(bad), bad[:2]


def compare_pieces(name, before, after, lines):
    old = sentencepiece.SentencePieceProcessor(model_file=f"{before}/{name}")
    new = sentencepiece.SentencePieceProcessor(model_file=f"{after}/{name}")
    scores = {old.id_to_piece(i): old.get_score(i) for i in range(old.get_piece_size())}
    wrong = [new.id_to_piece(i) for i in range(new.get_piece_size()) if new.get_score(i) != scores[new.id_to_piece(i)]]
    left = {new.id_to_piece(i) for i in range(new.get_piece_size())}
    gone = {piece for piece in scores if piece not in left}
    kept = [line for line in lines if gone.isdisjoint(old.encode_as_pieces(line))]
    count, bad = differing(kept, [old.encode_as_pieces(t) for t in kept], [new.encode_as_pieces(t) for t in kept])
    return len(kept), (count + len(wrong), bad + wrong[:2])


def compare(args, name, folder, lines, others, to):
    """How much differs in one folder."""
    differ = 0

    def report(what, texts, result):
        nonlocal differ
        differ += result[0]
        print(f"{name:32} {what:14} {texts:6} texts {result[0]:5} differ", *map(repr, result[1]), flush=True)

    before, old_ids = ids_of(folder, lines)
    write_body(folder, len(before))
    with open(f"{to}/lines.txt", "w", encoding="utf8") as f:
        f.write("".join(line + "\n" for line in lines))
    out = f"{folder}-pruned"
    subprocess.run([f"{args.build}/inkstone", "prune", "--mode", "vocabulary", "--model", folder, "--text", f"{to}/lines.txt",
                    "--out", out], check=True, stdout=subprocess.DEVNULL)
    with open(f"{out}/vocabulary_pruning.json", encoding="utf8") as f:
        account = json.load(f)
    expected = renumbered(old_ids, account["kept_ids"])
    after, new_ids = ids_of(out, lines)
    report(f"kept {len(before)}>{len(after)}", len(lines), differing(lines, new_ids, expected))
    every = lines + others
    ours = common.Ours(args.build, out)
    own = [windows[0][0].tolist() for windows in ours.ask(every, common.FRAMED)[1]]
    report("ours", len(every), differing(every, own, ids_of(out, every)[1]))
    for model in ("spiece.model", "sentencepiece.bpe.model"):
        if os.path.exists(f"{folder}/{model}"):
            report("pieces", *compare_pieces(model, folder, out, lines))
    os.remove(f"{out}/tokenizer.json")
    report("older files", len(lines), differing(lines, ids_of(out, lines)[1], expected))
    return differ


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--build", default="build")
    parser.add_argument("--lines", type=int, default=4000)
    args = parser.parse_args()
    # Blanks at the ends of lines, blank lines and line ends other than \n are no part of a corpus.
    every = [line[:400] for line in itertools.islice(common.lines_of_data(args.data), 0, 80 * args.lines, 40)]
    usual = [line for line in every if line.strip() and len(line.splitlines()) == 1 and "\r" not in line]
    lines, others = usual[::2], usual[1::2] + list(common.random_texts(args.lines, seed=3))
    differ = 0
    with tempfile.TemporaryDirectory() as to:
        for name, folder in common.older_folders(args.data, to):
            whole = f"{folder}-json"
            transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(whole)
            for file in OLDER:
                if os.path.exists(f"{folder}/{file}") and not os.path.exists(f"{whole}/{file}"):
                    os.link(f"{folder}/{file}", f"{whole}/{file}")
            differ += compare(args, name, folder, lines, others, to)
            differ += compare(args, f"{name}, tokenizer.json", whole, lines, others, to)
    sys.exit(differ > 0)


main()
