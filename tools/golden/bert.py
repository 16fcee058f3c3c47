"""Reference values of BERT, computed by transformers in float64: tests/golden/bert.safetensors.

Run: python tools/golden/bert.py   (needs torch, transformers, safetensors; about a minute)

Weights are not stored: element i of the parameter `name` is a hash of (name, i), the same here and in
tests/nn/golden_weights.h. Batches are stored; the library gets them packed, transformers padded.

  tiny.*    3 layers of odd sizes: hidden states, loss, gradient of every parameter
  uneven.*  the same with heads 5, 2, 3 and widths 97, 31, 64, which transformers can only express by zeros
  curve.*   200 steps of AdamW on the tiny model
  base.*    BERT-base with hashed weights: last hidden states and a few logits
"""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import BertConfig, BertForPreTraining

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/bert.safetensors"
TINY = dict(vocab_size=199, hidden_size=60, num_hidden_layers=3, num_attention_heads=5, intermediate_size=97,
            max_position_embeddings=40, type_vocab_size=2, hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0)
BASE = dict(TINY, vocab_size=21128, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
            intermediate_size=3072, max_position_embeddings=512)
UNEVEN_HEADS, UNEVEN_FFN = [5, 2, 3], [97, 31, 64]


def hashed(text, count):
    """`count` numbers in [-0.5, 0.5): the finalizer of MurmurHash3 over FNV-1a(text) and the index."""
    seed = 0x811C9DC5
    for byte in text.encode():
        seed = (seed ^ byte) * 0x01000193 & 0xFFFFFFFF
    with np.errstate(over="ignore"):
        x = np.arange(count, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x85EBCA6B)
        x ^= x >> np.uint32(13)
        x *= np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float32) * np.float32(2**-24) - np.float32(0.5)


def weight(name, shape, spread):
    value = hashed(name, int(np.prod(shape))) * np.float32(spread)
    if name.endswith("LayerNorm.weight"):
        value = value + np.float32(1)
    return torch.from_numpy(value.reshape(shape)).double()


def model_of(sizes, spread):
    model = BertForPreTraining(BertConfig(**sizes, attn_implementation="eager")).double().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(weight(name, tuple(p.shape), spread))
    return model


def uneven_model(spread):
    """The full-sized model with zeros where the uneven one has nothing; and which entries are real."""
    model = model_of(TINY, spread)
    D, kept = 12, {}
    with torch.no_grad():
        for i, (H, F) in enumerate(zip(UNEVEN_HEADS, UNEVEN_FFN)):
            parts = {"attention.self.query": (H * D, None), "attention.self.key": (H * D, None),
                     "attention.self.value": (H * D, None), "attention.output.dense": (None, H * D),
                     "intermediate.dense": (F, None), "output.dense": (None, F)}
            for part, (rows, columns) in parts.items():
                layer = model.bert.encoder.layer[i].get_submodule(part)
                for kind, p in layer.named_parameters():
                    name = f"bert.encoder.layer.{i}.{part}.{kind}"
                    shape = list(p.shape)
                    if rows is not None:
                        shape[0] = rows
                    if columns is not None and kind == "weight":
                        shape[1] = columns
                    region = tuple(slice(0, n) for n in shape)
                    p.zero_()
                    p[region] = weight(name, tuple(shape), spread)
                    kept[name] = region
    return model, kept


def batch_of(seed, lengths, vocabulary):
    """Ids, segments, some selected tokens and their labels, and a label for every pair."""
    lengths = np.array(lengths)
    N = int(lengths.sum())
    draw = lambda what, low, high: ((hashed(f"{seed}.{what}", N) + 0.5) * (high - low)).astype(np.int32) + low
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    place = np.concatenate([np.arange(n) for n in lengths])
    segments = (place * 2 >= np.repeat(lengths, lengths)).astype(np.int32)
    rows = np.flatnonzero(hashed(f"{seed}.select", N) > 0.3).astype(np.int32)
    # No id 0: torch keeps the row of the padding token out of the gradient, whether or not it is padding.
    return dict(ids=draw("ids", 1, vocabulary), segments=segments, offsets=offsets, rows=rows,
                labels=draw("labels", 0, vocabulary)[rows], pairs=draw("pairs", 0, 2)[: len(lengths)])


def padded(batch):
    offsets = batch["offsets"]
    B, T = len(offsets) - 1, int(np.diff(offsets).max())
    ids, segments, mask = (torch.zeros(B, T, dtype=torch.long) for _ in range(3))
    labels = torch.full((B, T), -100)
    flat = np.full(len(batch["ids"]), -100)
    flat[batch["rows"]] = batch["labels"]
    for b in range(B):
        s, n = slice(offsets[b], offsets[b + 1]), int(offsets[b + 1] - offsets[b])
        ids[b, :n] = torch.from_numpy(batch["ids"][s].astype(np.int64))
        segments[b, :n] = torch.from_numpy(batch["segments"][s].astype(np.int64))
        labels[b, :n] = torch.from_numpy(flat[s])
        mask[b, :n] = 1
    return dict(input_ids=ids, token_type_ids=segments, attention_mask=mask, labels=labels,
                next_sentence_label=torch.from_numpy(batch["pairs"].astype(np.int64)))


def packed_rows(x, batch):
    return torch.cat([x[b, :n] for b, n in enumerate(np.diff(batch["offsets"]))])


def f32(x):
    return x.detach().numpy().astype(np.float32)


def main():
    torch.set_num_threads(1)
    out = {}
    spread = 0.35
    batch = batch_of(1, [7, 1, 13, 32], TINY["vocab_size"])
    out |= {f"batch.{k}": v for k, v in batch.items()}

    model = model_of(TINY, spread)
    result = model(**padded(batch), output_hidden_states=True)
    result.loss.backward()
    out["tiny.loss"] = np.array([result.loss.item()])
    for i, h in enumerate(result.hidden_states):
        out[f"tiny.hidden.{i}"] = f32(packed_rows(h, batch))
    for name, p in model.named_parameters():
        out[f"tiny.grad.{name}"] = f32(p.grad)

    model, kept = uneven_model(spread)
    result = model(**padded(batch), output_hidden_states=True)
    result.loss.backward()
    out["uneven.loss"] = np.array([result.loss.item()])
    out["uneven.hidden"] = f32(packed_rows(result.hidden_states[-1], batch))
    for name, p in model.named_parameters():
        if ".layer.1." in name:
            out[f"uneven.grad.{name}"] = f32(p.grad[kept.get(name, ...)])

    model = model_of(TINY, spread)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    vectors = [p for p in model.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01},
                                   {"params": vectors, "weight_decay": 0.0}], lr=2e-4, betas=(0.9, 0.999), eps=1e-6)
    losses = []
    batches = [padded(batch_of(seed, [7, 1, 13, 32], TINY["vocab_size"])) for seed in (1, 2, 3, 4)]
    for step in range(200):
        optimizer.zero_grad()
        loss = model(**batches[step % 4]).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    out["curve.loss"] = np.array(losses)
    for seed in (2, 3, 4):
        out |= {f"batch{seed}.{k}": v for k, v in batch_of(seed, [7, 1, 13, 32], TINY["vocab_size"]).items()}

    batch = batch_of(5, [11, 5], BASE["vocab_size"])
    out |= {f"base.{k}": v for k, v in batch.items()}
    model = model_of(BASE, 0.07)
    with torch.no_grad():
        result = model(**padded(batch), output_hidden_states=True)
    out["base.hidden"] = f32(packed_rows(result.hidden_states[-1], batch))
    out["base.logits"] = f32(packed_rows(result.prediction_logits, batch)[:, :100].contiguous())

    OUT.parent.mkdir(parents=True, exist_ok=True)
    save_file(out, OUT, metadata={"made by": "tools/golden/bert.py", "torch": torch.__version__.split("+")[0]})
    print(OUT.name, OUT.stat().st_size, "bytes; losses", out["tiny.loss"], out["uneven.loss"], losses[0], losses[-1])


if __name__ == "__main__":
    main()
