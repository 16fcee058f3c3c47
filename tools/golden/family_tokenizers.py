#!/usr/bin/env python3
"""Writes tests/golden/family_tokenizers.json: hashes of what the fast tokenizers of RoBERTa, XLM-R, ALBERT and XLNet say.

    python3 tools/golden/family_tokenizers.py DATA > tests/golden/family_tokenizers.json

DATA is the folder of real data that INK_DATA names; its vocabularies are read as the older files of each family. One
hash for each block of 65,536 code points in three contexts, for random strings, and for whole files. The full
comparison, token by token, is tools/compare_tokenizers.py.
"""
import json
import shutil
import tempfile

import tokenizers
import transformers
from text import DATA, Hash, hash_encodings, random_texts, texts_of, values_of

FAMILIES = [("roberta", "RobertaTokenizer", {}), ("roberta", "RobertaTokenizer", {"add_prefix_space": True}),
            ("xlnet", "XLNetTokenizer", {}), ("xlnet", "XLNetTokenizer", {"do_lower_case": True})]
FILES = {"roberta": {"gpt2-encoder.json": "vocab.json", "gpt2-merges.txt": "merges.txt"},
         "xlnet": {"sentencepiece-zh.model": "spiece.model"}}
TEXTS = ["sst2/dev.tsv", "xquad/zh.json", "xquad/en.json", "text/essays.txt"]
BLOCK = 1 << 16


def folder_of(to, kind, cls, options):
    for source, name in FILES[kind].items():
        shutil.copyfile(f"{DATA}/vocab/{source}", f"{to}/{name}")
    for name, value in (("tokenizer_config", {"tokenizer_class": cls, **options}), ("config", {"model_type": kind})):
        with open(f"{to}/{name}.json", "w", encoding="utf8") as f:
            json.dump(value, f)


def hashed(tokenizer, texts):
    total = Hash()
    for encoding in tokenizer.encode_batch(texts, add_special_tokens=False):
        total.add(values_of(encoding))
    return total.text()


def sweep(tokenizer):
    """Every code point alone, between letters, and among accents; 64 to a text, kept apart by spaces."""
    for block in range(0, 0x110000, BLOCK):
        points = [c for c in range(block, block + BLOCK) if not 0xD800 <= c < 0xE000]
        texts = []
        for at in range(0, len(points), 64):
            chars = [chr(c) for c in points[at : at + 64]]
            texts += [" ".join(chars), " ".join(f"a{c}b" for c in chars),
                      " ".join(f"e\u0301{c}\u0323\u00e9" for c in chars)]
        yield hashed(tokenizer, texts)


def family(kind, cls, options):
    with tempfile.TemporaryDirectory() as to:
        folder_of(to, kind, cls, options)
        tokenizer = transformers.AutoTokenizer.from_pretrained(to)._tokenizer
    return {"class": cls, "options": options, "files": FILES[kind], "blocks": list(sweep(tokenizer)),
            "random": {"texts": 20000, "hash": hashed(tokenizer, list(random_texts(20000)))},
            "data": [{"path": path, **hash_encodings(tokenizer, texts_of(path))} for path in TEXTS]}


def main():
    print(json.dumps({"made_by": "tools/golden/family_tokenizers.py", "tokenizers": tokenizers.__version__,
                      "transformers": transformers.__version__,
                      "families": [family(*one) for one in FAMILIES]}, indent=1))


main()
