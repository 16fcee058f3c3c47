"""Golden values of real TextPruner runs, for toolkits.py to choose from.

Needs textpruner >= 1.1 (for use_logits), transformers 4.x (later versions have no prune_heads), torch, safetensors.
    python textpruner_runs.py [OUT_DIR]            writes bert-tiny/, textpruner.safetensors, textpruner.json
    python textpruner_runs.py --compare [OUT_DIR]  runs the labelled cases with the installed version and compares
Everything runs in float64 on the CPU unless a name says otherwise; TextPruner itself accumulates scores in float32.
"""
import copy, json, os, sys, tempfile
import torch, transformers, textpruner
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForSequenceClassification
from textpruner import GeneralConfig, TransformerPruner, TransformerPruningConfig
import textpruner.pruners.transformer_pruner as tp

compare = "--compare" in sys.argv
args = [a for a in sys.argv[1:] if not a.startswith("--")]
OUT = args[0] if args else os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
L, H, A, F, V, C = 3, 48, 4, 96, 300, 3


def build():
    g = torch.Generator().manual_seed(20220)
    cfg = BertConfig(vocab_size=V, hidden_size=H, num_hidden_layers=L, num_attention_heads=A, intermediate_size=F,
                     max_position_embeddings=40, type_vocab_size=2, num_labels=C, attn_implementation="eager")
    m = BertForSequenceClassification(cfg).eval()
    with torch.no_grad():
        for name, p in m.named_parameters():
            r = torch.randn(p.shape, generator=g)
            if "LayerNorm.weight" in name:
                p.copy_(1 + 0.1 * r)
            elif name.endswith("bias"):
                p.copy_(0.1 * r)
            elif "embeddings" in name:
                p.copy_(0.5 * r)
            else:
                p.copy_(0.18 * r)
    return m


def batches():
    g = torch.Generator().manual_seed(7)
    out = []
    for n, length in ((8, 16), (8, 12), (8, 16), (5, 10)):
        lens = torch.randint(4, length + 1, (n,), generator=g)
        lens[0] = length
        mask = (torch.arange(length)[None] < lens[:, None]).long()
        ids = torch.randint(5, V, (n, length), generator=g) * mask
        types = (torch.arange(length)[None] >= (lens // 2)[:, None]).long() * mask
        out.append(dict(input_ids=ids, attention_mask=mask, token_type_ids=types, labels=torch.randint(0, C, (n,), generator=g)))
    return out


def clone_model(path, dtype):
    # one clone per run: pruning edits the model and its config in place
    return BertForSequenceClassification.from_pretrained(path, attn_implementation="eager").to(dtype).eval()


def logits(model, batch):
    with torch.no_grad():
        return model(**{k: v for k, v in batch.items() if k != "labels"}).logits


def run(path, data, dtype, keep_shape=False, order_data=None, **kw):
    trace, refs = [], []
    model = clone_model(path, dtype)
    original = tp.generate_mask

    def recorder(importance, total, even=False, *a, **k):
        mask = original(importance, total, even, *a, **k)
        kind = "head" if importance.size(1) == A else "ffn"
        trace.append((kind, importance.clone(), int(total), mask.clone().to(torch.uint8)))
        return mask

    tp.generate_mask = recorder
    try:
        cfg = TransformerPruningConfig(pruning_method="iterative", **kw)
        with tempfile.TemporaryDirectory() as tmp:
            p = TransformerPruner(model, cfg, GeneralConfig(use_device="cpu", output_dir=tmp))
            if kw.get("use_logits"):
                for b in data:
                    with torch.no_grad():
                        refs.append(p.model_rep.eval()(**b).logits.float())
            p.prune(dataloader=data, save_model=False, keep_shape=keep_shape)
    finally:
        tp.generate_mask = original
    model.to(dtype)  # transformers' prune_linear_layer builds the cut layers in the default dtype (the values are exact)
    return model, p, trace, refs


CASES = {
    # even / uneven, one-shot / iterative (targets are per-layer averages)
    "even_n1": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=1),
    "even_n4": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=4),
    "even_n5_f50": dict(target_ffn_size=50, target_num_of_heads=3, n_iters=5),
    "uneven_n1": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=1, ffn_even_masking=False, head_even_masking=False),
    "uneven_n4": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=4, ffn_even_masking=False, head_even_masking=False),
    "uneven_heads_n2": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=2, head_even_masking=False),
    "uneven_mult8_n2": dict(target_ffn_size=40, target_num_of_heads=2, n_iters=2, ffn_even_masking=False, head_even_masking=False, multiple_of=8),
    "uneven_rescue_n1": dict(target_ffn_size=6, target_num_of_heads=1, n_iters=1, ffn_even_masking=False, head_even_masking=False),
    "even_headfirst_n2": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=2, pruning_order="head-first"),
    "even_ffnfirst_n2": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=2, pruning_order="ffn-first"),
}
LOGIT_CASES = {
    "logits_even_n1": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=1, use_logits=True),
    "logits_even_n4": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=4, use_logits=True),
    "logits_uneven_n4": dict(target_ffn_size=48, target_num_of_heads=2, n_iters=4, ffn_even_masking=False, head_even_masking=False, use_logits=True),
}


def store(T, J, name, kw, model, p, trace, refs, data):
    for i, (kind, imp, total, mask) in enumerate(trace):
        i = i if "pruning_order" in kw else i // 2  # without an order each iteration makes a head and an FFN mask
        T[f"{name}.step{i}.{kind}_importance"] = imp.float()
        T[f"{name}.step{i}.{kind}_mask"] = mask
    T[f"{name}.head_mask"] = p.head_mask.to(torch.uint8)
    T[f"{name}.ffn_mask"] = p.ffn_mask.to(torch.uint8)
    for i, b in enumerate(data):
        T[f"{name}.logits{i}"] = logits(model, b)
    for i, r in enumerate(refs):
        T[f"{name}.reference_fp16_logits{i}"] = r
    J["cases"][name] = dict(config=kw, steps=[dict(kind=k, total_kept=t) for k, _, t, _ in trace],
                            heads_per_layer=p.head_mask.sum(-1).int().tolist(), ffn_per_layer=p.ffn_mask.sum(-1).int().tolist())


def main():
    path = os.path.join(OUT, "bert-tiny")
    if not compare:
        build().save_pretrained(path, safe_serialization=True)
        cfg = json.load(open(os.path.join(path, "config.json")))
        cfg.pop("_name_or_path", None)
        json.dump(cfg, open(os.path.join(path, "config.json"), "w"), indent=1, sort_keys=True)
    data = batches()
    if compare:
        G = load_file(os.path.join(OUT, "textpruner.safetensors"))
        for name, kw in CASES.items():
            T, J = {}, {"cases": {}}
            store(T, J, name, kw, *run(path, data, torch.float64, **kw), data)
            worst = max(float((T[k].double() - G[k].double()).abs().max()) for k in T)
            print(f"{textpruner.__version__} {name}: {len(T)} tensors, largest difference {worst:.3g}")
        return
    T, J = {}, {"textpruner": textpruner.__version__, "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "cases": {}}
    full = clone_model(path, torch.float64)
    for i, b in enumerate(data):
        for k, v in b.items():
            T[f"batch{i}.{k}"] = v.to(torch.int32)
        T[f"full.logits{i}"] = logits(full, b)
        with torch.no_grad():
            T[f"full.loss{i}"] = full(**b).loss.reshape(1)
    for name, kw in {**CASES, **LOGIT_CASES}.items():
        model, p, trace, refs = run(path, data, torch.float64, **kw)
        store(T, J, name, kw, model, p, trace, refs, data)
        # the same run with the weights in float32, and once more keeping the shapes
        m32, p32, trace32, _ = run(path, data, torch.float32, **kw)
        same = all(torch.equal(a[3], b[3]) for a, b in zip(trace, trace32))
        J["cases"][name]["float32_masks_equal"] = same
        if same:
            J["cases"][name]["float32_logits_max_difference"] = max(float((logits(m32, b).double() - logits(model, b)).abs().max()) for b in data)
        keep = run(path, data, torch.float64, keep_shape=True, **kw)[0]
        J["cases"][name]["keep_shape_max_difference"] = max(float((logits(keep, b) - logits(model, b)).abs().max()) for b in data)
        J["cases"][name]["parameters"] = sum(q.numel() for q in model.parameters())
    # scores of the intact model under other settings: one example per batch, one batch of everything, uneven formula
    singles = [{k: v[i:i + 1] for k, v in b.items()} for b in data for i in range(len(b["labels"]))]
    first_two = [{k: torch.nn.functional.pad(v, (0, 16 - v.size(1))) if v.dim() == 2 else v for k, v in b.items()} for b in data]
    joined = [{k: torch.cat([b[k] for b in first_two]) for k in data[0]}]
    for tag, loader in (("batch1", singles), ("onebatch", joined)):
        for kind, even in (("even", True), ("uneven", False)):
            _, _, trace, _ = run(path, loader, torch.float64, target_ffn_size=48, target_num_of_heads=2, ffn_even_masking=even, head_even_masking=even)
            for k, imp, _, _ in trace:
                if k == "ffn" or even:
                    T[f"scores_{tag}.{k}" + ("" if k == "head" else "_" + kind)] = imp.float()
    save_file({k: v.contiguous() for k, v in T.items()}, os.path.join(OUT, "textpruner.safetensors"))
    json.dump(J, open(os.path.join(OUT, "textpruner.json"), "w"), indent=1)
    for n, c in J["cases"].items():
        print(n, c["heads_per_layer"], c["ffn_per_layer"], "f32 masks", c["float32_masks_equal"], c.get("float32_logits_max_difference"), "keep_shape", c["keep_shape_max_difference"], [s["total_kept"] for s in c["steps"]])


main()
