#!/usr/bin/env python3
"""Compares inkstone with the tokenizers package on tokenizer.json files that no class of transformers writes.

    python3 tools/compare_chains.py DATA [--build build] [--texts 20000] [--seed 1]

Normalizers left out or put together anew, added tokens that strip, stand alone or hold each other, short words, and every
option of byte-level BPE, on the vocabularies in DATA/vocab: ids and places in the text of random strings that are rich in
what has rules of its own. Prints a line for each file and ends with 1 when anything differs. Needs transformers, whose
fast tokenizers it asks (tools/compare_tokenizers.py compares the ordinary ones).
"""
import argparse
import json
import os
import random
import sys
import tempfile

import transformers

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from compare_tokenizers import Ours, compare

CHARACTERS = list("aabbcdeABCéÉñß  \t .,!?'-_<>[]#@0159") + [
    "e\u0301", "\u0300", "\u200d", "\u00a0", "\u3000", "\ufeff", "\u200b", "\u0000", "\u0007", "\u00ad", "\u2028", "\u0085",
    "\u000b", "中", "国", "東京", "한", "글", "\u1100\u1161", "İ", "ﬁ", "Ⅷ", "½", "😀", "👨‍👩‍👧", "\U0001f1e8\U0001f1f3", "\ue000",
    "\ufffd", "\U00020000", "ǅ", "ſ", "Σ", "ς", "\u0345", "क्ष", "ก็", "ا", "ـ"]
WORDS = ["<L>", "<R>", "<LR>", "WoRd", "word", "École", "ecole", "a b", "Xx", " hello", "hello", "[MASK]", "[CLS]", "<mask>",
         "<pad>", "<x>", "<x", "<x> <x>", "unaffable", "playing", "'s", "'ll", "can't"]


def random_texts(count, seed):
    draw = random.Random(seed)
    for _ in range(count):
        yield "".join(draw.choice(CHARACTERS if draw.random() < 0.75 else WORDS) for _ in range(draw.randint(0, 24)))


def added(number, content, **options):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True, **options}


def bert_normalizer(**options):
    return {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
            "lowercase": True, **options}


def wordpiece(tokens, normalizer, more=(), longest=100):
    ids = {token: i for i, token in enumerate(tokens)}
    special = [added(ids[t], t) for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")]
    extra = [added(len(tokens) + i, content, **options) for i, (content, options) in enumerate(more)]
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": special + extra,
            "normalizer": normalizer, "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", ids["[SEP]"]], "cls": ["[CLS]", ids["[CLS]"]]},
            "decoder": None,
            "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                      "max_input_chars_per_word": longest, "vocab": ids}}


def byte_bpe(vocab, merges, prefix_space, trim):
    ids = dict(vocab)
    names = ["<s>", "</s>", "<unk>", "<mask>", "<pad>"]
    for name in names:
        ids[name] = len(ids)
    special = [added(ids[name], name, lstrip=name == "<mask>") for name in names]
    level = {"type": "ByteLevel", "add_prefix_space": prefix_space, "trim_offsets": trim, "use_regex": True}
    return {"version": "1.0", "truncation": None, "padding": None,
            "added_tokens": special + [added(len(ids), " hello", normalized=True, special=False)],
            "normalizer": None, "pre_tokenizer": level,
            "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", ids["</s>"]], "cls": ["<s>", ids["<s>"]],
                               "trim_offsets": trim, "add_prefix_space": prefix_space},
            "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                      "end_of_word_suffix": "", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": ids, "merges": merges}}


def chains(vocab):
    def lines(name):
        with open(f"{vocab}/{name}", encoding="utf8") as file:
            return file.read().rstrip("\n").split("\n")

    english, chinese = lines("bert-english-uncased.txt"), lines("bert-chinese.txt")
    ordinary = dict(normalized=True, special=False)
    yield "added tokens that strip", wordpiece(english, bert_normalizer(), [
        ("<L>", dict(lstrip=True)), ("<R>", dict(rstrip=True)), ("<LR>", dict(lstrip=True, rstrip=True)),
        ("WoRd", dict(single_word=True, **ordinary)), ("École", ordinary), ("東京", dict(single_word=True)),
        ("a b", dict(lstrip=True, **ordinary))])
    yield "added tokens that hold each other", wordpiece(english, bert_normalizer(), [("<x>", {}), ("<x> <x>", {}), ("<x", {})])
    yield "an added token as the start of a word", wordpiece(
        english, bert_normalizer(lowercase=False, strip_accents=True), [("Xx", dict(single_word=True, **ordinary))])
    yield "accents kept, hanzi not apart", wordpiece(
        chinese, bert_normalizer(strip_accents=False, handle_chinese_chars=False))
    yield "no normalizer", wordpiece(chinese, None)
    yield "a sequence of normalizers", wordpiece(english, {"type": "Sequence", "normalizers": [
        {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"},
        {"type": "Strip", "strip_left": True, "strip_right": True},
        {"type": "Replace", "pattern": {"String": "aa"}, "content": "b"},
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]})
    with open(f"{vocab}/gpt2-encoder.json", encoding="utf8") as file:
        bytes_vocab = json.load(file)
    merges = [line for line in lines("gpt2-merges.txt")[1:] if line]
    for prefix_space in (False, True):
        for trim in (False, True):
            yield f"byte-level BPE, add_prefix_space {prefix_space}, trim_offsets {trim}", byte_bpe(
                bytes_vocab, merges, prefix_space, trim)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--build", default="build")
    parser.add_argument("--texts", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    differ = 0
    for name, file in chains(f"{args.data}/vocab"):
        with tempfile.TemporaryDirectory() as folder:
            with open(f"{folder}/tokenizer.json", "w", encoding="utf8") as out:
                json.dump(file, out)
            special = ("<unk>", "<s>", "</s>", "<pad>", "<mask>") if "BPE" in name else ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
            names = dict(zip(("unk_token", "cls_token", "sep_token", "pad_token", "mask_token"), special))
            with open(f"{folder}/tokenizer_config.json", "w", encoding="utf8") as out:
                json.dump({"tokenizer_class": "PreTrainedTokenizerFast", **names}, out)
            tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_file=f"{folder}/tokenizer.json", **names)
            differ += compare(name, Ours(args.build, folder), tokenizer, random_texts(args.texts, args.seed))
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
