"""Prunes small random models with TextPruner and with inkstone and compares every step: scores and what is kept.

    python tools/compare_textpruner.py [--program build/inkstone] [--data FOLDER] [--families bert,roberta,…]

Needs a virtual environment with torch, textpruner, transformers 4.x, tokenizers and safetensors. Sentences are real reviews
(chnsenticorp below --data) cut in characters. For every family it runs even and uneven masks, one shot and iterative, by
labels and without (use_logits with the reference logits of TextPruner's own copy in half precision). Scores are compared
relative to the largest of their step; exit status 1 where one is off by more than 1e-5 (labelled) or another head or neuron
is kept. Without labels, the derivatives measured are differences of nearly equal probabilities, in which f32 leaves few digits. There
TextPruner runs once more in f64, against the same reference, and both programs' scores of the first step are compared with
those: 1e-3 are allowed; a differing mask is reported without failing.
"""
import argparse
import copy
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch
import transformers
import textpruner.pruners.transformer_pruner as tp
from safetensors.torch import save_file
from textpruner import GeneralConfig, TransformerPruner, TransformerPruningConfig
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build/inkstone")
parser.add_argument("--data", default=os.environ.get("INK_DATA", "../shared/data"))
parser.add_argument("--families", default="bert,roberta,electra,albert,xlm-roberta")
parser.add_argument("--examples", type=int, default=48)
args = parser.parse_args()

torch.set_num_threads(1)
HEADS, FFN, LAYERS, HIDDEN, BATCH, LENGTH = 4, 96, 3, 48, 16, 48
CLASSES = {"bert": "Bert", "roberta": "Roberta", "electra": "Electra", "albert": "Albert", "xlm-roberta": "XLMRoberta"}
CASES = {f"{'even' if even else 'uneven'} n{n} {'logits' if logits else 'labels'}":
         dict(target_ffn_size=48, target_num_of_heads=2, pruning_method="iterative", n_iters=n,
              ffn_even_masking=even, head_even_masking=even, use_logits=logits)
         for even in (True, False) for n in (1, 4) for logits in (False, True)}


def examples():
    lines = (pathlib.Path(args.data) / "chnsenticorp" / "train.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [line.split("\t", 1) for line in lines[:args.examples]]


def write_tokenizer(folder, texts):
    tokens = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"] + sorted({c for t in texts for c in t.lower() if not c.isspace()})
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")
    t = Tokenizer(models.WordPiece({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]"))
    t.normalizer, t.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 0), ("[SEP]", 2)])
    for token in tokens[:5]:
        t.add_special_tokens([token])
    t.save(str(folder / "tokenizer.json"))
    names = dict(cls_token="[CLS]", pad_token="[PAD]", sep_token="[SEP]", unk_token="[UNK]", mask_token="[MASK]")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **names}))
    return t, len(tokens)


def random_model(family, vocabulary):
    config = getattr(transformers, CLASSES[family] + "Config")(
        vocab_size=vocabulary, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        intermediate_size=FFN, max_position_embeddings=64, type_vocab_size=2, num_labels=2, pad_token_id=1,
        embedding_size=24 if family in ("electra", "albert") else HIDDEN, attn_implementation="eager")
    model = getattr(transformers, CLASSES[family] + "ForSequenceClassification")(config).eval()
    generator = torch.Generator().manual_seed(len(family))
    with torch.no_grad():
        for name, p in model.named_parameters():
            r = torch.randn(p.shape, generator=generator)
            p.copy_(1 + 0.1 * r if "norm.weight" in name.lower() else 0.1 * r if name.endswith("bias") else 0.18 * r)
    return model


def batches_of(tokenizer, rows):
    batches = []
    for first in range(0, len(rows), BATCH):
        part = rows[first:first + BATCH]
        ids = []
        for _, text in part:
            e = tokenizer.encode(text).ids
            ids.append(e if len(e) <= LENGTH else e[:LENGTH - 1] + [2])
        width = max(map(len, ids))
        padded = torch.tensor([row + [1] * (width - len(row)) for row in ids])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids])
        batches.append(dict(input_ids=padded, attention_mask=mask, labels=torch.tensor([int(label) for label, _ in part])))
    return batches


def run_textpruner(model, batches, keys, folder):
    """Per step {head or ffn: (scores, mask)}; and the reference logits where there are no labels."""
    steps, reference, original = [], {}, tp.generate_mask

    def recorder(importance, total, even=False, *rest, **named):
        mask = original(importance, total, even, *rest, **named)
        kind = "head" if importance.size(1) == HEADS else "ffn"
        if not steps or kind in steps[-1]:
            steps.append({})
        steps[-1][kind] = (importance.double().clone(), mask.clone().int())
        return mask

    tp.generate_mask = recorder
    try:
        pruner = TransformerPruner(model, TransformerPruningConfig(**keys), GeneralConfig(use_device="cpu", output_dir=folder))
        if keys["use_logits"]:
            with torch.no_grad():
                for i, batch in enumerate(batches):
                    reference[f"{i}.0"] = pruner.model_rep.eval()(**batch).logits.float()
        pruner.prune(dataloader=batches, save_model=False)
    finally:
        tp.generate_mask = original
    return steps, reference


def run_inkstone(model_folder, data, keys, reference, folder):
    (folder / "tc.json").write_text(json.dumps({"config_class": "TransformerPruningConfig", "compatible": True, **keys}))
    command = [args.program, "prune", "--model", str(model_folder), "--configurations", str(folder / "tc.json"),
               "--data", str(data), "--columns", "label,text", "--out", str(folder / "out"), "--batch-size", str(BATCH),
               "--max-length", str(LENGTH)]
    if reference:
        save_file(reference, str(folder / "reference.safetensors"))
        command += ["--reference", str(folder / "reference.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads((folder / "out" / "pruning.json").read_text())["steps"]


def compare(theirs, ours):
    """Largest relative difference of scores, and how many heads and neurons stand on the other side of a mask."""
    worst, other = 0, {"head": 0, "ffn": 0}
    for a, b in zip(theirs, ours, strict=True):
        for kind, (scores, mask) in a.items():
            mine = torch.tensor(b[f"{kind}_importance"], dtype=torch.float64)
            worst = max(worst, float((mine - scores).abs().max() / scores.abs().max()))
            other[kind] += int((torch.tensor(b[f"{kind}_mask"]) != mask).sum())
    return worst, other


def distance(scores, exact):
    """Of the first step, relative to the largest of its kind."""
    return max(float((torch.as_tensor(scores[kind], dtype=torch.float64) - wanted).abs().max() / wanted.abs().max())
               for kind, (wanted, _) in exact[0].items())


def main():
    rows, failed = examples(), False
    for family in args.families.split(","):
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            folder, data = root / "model", root / "data.tsv"
            folder.mkdir()
            data.write_text("".join(f"{label}\t{text}\n" for label, text in rows), encoding="utf-8")
            tokenizer, vocabulary = write_tokenizer(folder, [text for _, text in rows])
            model = random_model(family, vocabulary)
            model.config.id2label, model.config.label2id = {0: "0", 1: "1"}, {"0": 0, "1": 1}
            model.save_pretrained(folder, safe_serialization=True)
            batches = batches_of(tokenizer, rows)
            for i, (case, keys) in enumerate(CASES.items()):
                work = root / str(i)
                work.mkdir()
                theirs, reference = run_textpruner(copy.deepcopy(model), batches, keys, str(work))
                ours = run_inkstone(folder, data, keys, reference, work)
                worst, other = compare(theirs, ours)
                same = not any(other.values())
                bad = not keys["use_logits"] and (worst > 1e-5 or not same)
                exactly = ""
                if keys["use_logits"]:
                    exact, _ = run_textpruner(copy.deepcopy(model).double(), batches, keys, str(work))
                    a = distance({kind: scores for kind, (scores, _) in theirs[0].items()}, exact)
                    b = distance({kind: ours[0][f"{kind}_importance"] for kind in theirs[0]}, exact)
                    exactly, bad = f", from f64 {a:.1e} and {b:.1e}", b > 1e-3
                failed |= bad
                print(f"{family:12} {case:18} scores {worst:.1e}{exactly}  "
                      + ("same masks" if same else f"{other['head']} heads, {other['ffn']} neurons otherwise")
                      + ("  FAILED" if bad else ""), flush=True)
    sys.exit(failed)


main()
