"""Loads what inkstone writes in transformers: no missing or unexpected keys, the same numbers.

    python tools/compare_transformers.py [--program build/inkstone] FOLDER…      each a folder of models, or a model

Every model is rewritten by `inkstone convert`, loaded by the class that its config.json names, and compared with the
original loaded by the same class. Needs torch and transformers (4.44 or 5).
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import safetensors
import torch
import transformers

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build/inkstone")
parser.add_argument("folders", nargs="+", type=pathlib.Path)
args = parser.parse_args()
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)


def models():
    for folder in args.folders:
        if (folder / "config.json").exists():
            yield folder
        else:
            yield from sorted(p.parent for p in folder.glob("*/config.json"))


def load(folder, name):
    model, info = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    # Buffers of positions are not weights.
    wrong = {k: [x for x in info[k] if "position_ids" not in x] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    return model.float().eval(), {k: v for k, v in wrong.items() if v}


def with_bias_of_file(model, folder):
    """transformers 4 has zeros for the bias of some masked-LM heads, and ignores an untied decoder's own: as 5 reads it."""
    decoder = model.get_output_embeddings()
    if decoder is None or int(transformers.__version__.split(".")[0]) > 4:
        return model
    found = {}
    for file in folder.glob("model*.safetensors"):
        with safetensors.safe_open(file, "pt") as weights:
            found |= {name: weights.get_tensor(name) for name in weights.keys() if name.endswith("bias")}
    for file in folder.glob("pytorch_model*.bin"):
        found |= {k: v for k, v in torch.load(file, weights_only=True).items() if k.endswith("bias")}
    for end in ("decoder.bias", "predictions.bias", "lm_head.bias"):
        for name in found:
            if name.endswith(end):
                decoder.bias.data.copy_(found[name])
                return model
    return model


def outputs(model):
    ids = torch.randint(7, model.config.vocab_size, (2, 9), generator=torch.Generator().manual_seed(1))
    if "MultipleChoice" in type(model).__name__:
        ids = ids[None]  # two choices of one question
    with torch.inference_mode():
        r = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    return [x for x in r.to_tuple() if isinstance(x, torch.Tensor)]


def compare(folder):
    """→ what is wrong, or None"""
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    if not hasattr(transformers, name):
        return f"transformers has no {name}"
    with tempfile.TemporaryDirectory() as out:
        run = subprocess.run([args.program, "convert", "--model", folder, "--out", out], capture_output=True, text=True)
        if run.returncode:
            return run.stderr.strip()
        ours, wrong = load(out, name)
        if wrong:
            return f"keys: {wrong}"
        theirs = with_bias_of_file(load(folder, name)[0], folder)
        worst = max(float((a - b).abs().max()) for a, b in zip(outputs(ours), outputs(theirs), strict=True))
        return None if worst <= 1e-6 else f"outputs differ by {worst:.1e}"


failures, count = 0, 0
for folder in models():
    if json.loads((folder / "config.json").read_text())["model_type"] == "bigru":
        continue  # a family of inkstone's own
    count += 1
    complaint = compare(folder)
    if complaint:
        failures += 1
        print(f"{folder.name}: {complaint}")
print(f"transformers {transformers.__version__}: {count} models, {failures} wrong")
sys.exit(failures > 0 or count == 0)
