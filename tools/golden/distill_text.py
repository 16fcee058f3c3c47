"""Reference values of distillation on text, computed by torch in float64: tests/golden/distill_text.safetensors.

Run: python tools/golden/distill_text.py   (needs torch, transformers, safetensors; seconds)

Weights and the batch are hashes of names, as in bert.py. The losses are written out here from the papers:

  distilbert.*  5·τ²·KL at τ = 2 + 2·MLM, both of the selected tokens, + 1·(1 − cos) of all real tokens' last states;
                the student is transformers' DistilBertForMaskedLM
  tinybert.*    mean squared differences of attention scores (all heads, pairs of real tokens) and of hidden states
                behind linear projections; the student is a narrower BertModel
"""
import math
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import BertConfig, BertForMaskedLM, BertModel, DistilBertConfig, DistilBertForMaskedLM

from bert import batch_of, f32, padded, packed_rows, weight

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/distill_text.safetensors"
V, POSITIONS, HEADS = 50, 20, 3
NO_DROPOUT = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
TEACHER = dict(vocab_size=V, max_position_embeddings=POSITIONS, hidden_size=12, num_hidden_layers=2,
               num_attention_heads=HEADS, intermediate_size=20, **NO_DROPOUT)
NARROW = dict(TEACHER, hidden_size=6, num_hidden_layers=1, intermediate_size=10)
DISTILBERT = dict(vocab_size=V, max_position_embeddings=POSITIONS, dim=12, n_layers=1, n_heads=HEADS, hidden_dim=20,
                  dropout=0.0, attention_dropout=0.0)


def with_weights(model, prefix):
    model = model.double().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(weight(prefix + name, tuple(p.shape), 1.0))
    return model


def scores(layer, states):
    """(B, H, L, L)"""
    B, L, _ = states.shape
    q, k = (part(states).view(B, L, HEADS, -1).transpose(1, 2)
            for part in (layer.attention.self.query, layer.attention.self.key))
    return q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])


def distilbert(teacher, batch, inputs, out):
    student = with_weights(DistilBertForMaskedLM(DistilBertConfig(**DISTILBERT, attn_implementation="eager")),
                           "distilbert_student.")
    rows, labels = (torch.tensor(batch[k]).long() for k in ("rows", "labels"))
    both = {k: inputs[k] for k in ("input_ids", "attention_mask")}
    with torch.no_grad():
        wanted = teacher(**inputs, output_hidden_states=True)
    got = student(**both, output_hidden_states=True)
    tau = 2.0
    p = torch.softmax(packed_rows(wanted.logits, batch)[rows] / tau, -1)
    logits = packed_rows(got.logits, batch)[rows]
    kd = torch.nn.functional.kl_div(torch.log_softmax(logits / tau, -1), p, reduction="batchmean")
    mlm = torch.nn.functional.cross_entropy(logits, labels)
    cosine = torch.nn.functional.cosine_similarity(packed_rows(got.hidden_states[-1], batch),
                                                   packed_rows(wanted.hidden_states[-1], batch), dim=-1)
    cos = (1 - cosine).mean()
    total = 5 * tau**2 * kd + 2 * mlm + cos
    total.backward()
    for name, value in dict(kd_loss=kd, mlm_loss=mlm, hidden_cos_1_2=cos, total=total).items():
        out[f"distilbert.{name}"] = np.array([value.item()])
    for name, parameter in student.named_parameters():
        out[f"distilbert.grad.{name}"] = f32(parameter.grad)


def tinybert(teacher, batch, inputs, out):
    student = with_weights(BertModel(BertConfig(**NARROW, attn_implementation="eager"), add_pooling_layer=False),
                           "tinybert_student.bert.")
    projection = {f"projection.{i}.{kind}": weight(f"projection.{i}.{kind}", (12, 6) if kind == "weight" else (12,), 1.0)
                  .requires_grad_() for i in (0, 1) for kind in ("weight", "bias")}
    with torch.no_grad():
        wanted = teacher.bert(**inputs, output_hidden_states=True).hidden_states
        wanted_scores = scores(teacher.bert.encoder.layer[1], wanted[1])
    got = student(**inputs, output_hidden_states=True).hidden_states
    parts = {}
    for i, layer in enumerate((0, 2)):
        states = packed_rows(got[i], batch) @ projection[f"projection.{i}.weight"].T + projection[f"projection.{i}.bias"]
        parts[f"hidden_hidden_mse_{i}_{layer}"] = ((states - packed_rows(wanted[layer], batch)) ** 2).mean()
    real = inputs["attention_mask"].double()
    pairs = (real[:, :, None] * real[:, None, :])[:, None]
    squares = (scores(student.encoder.layer[0], got[0]) - wanted_scores) ** 2 * pairs
    parts["attention_attention_mse_1_2"] = squares.sum() / (HEADS * pairs.sum())
    parts["total"] = sum(parts.values())
    parts["total"].backward()
    for name, value in parts.items():
        out[f"tinybert.{name}"] = np.array([value.item()])
    for name, parameter in [*(("bert." + n, p) for n, p in student.named_parameters()), *projection.items()]:
        out[f"tinybert.grad.{name}"] = f32(parameter.grad)


def main():
    torch.set_num_threads(1)
    batch = batch_of(4, [7, 2, 13, 5], V)
    inputs = padded(batch)
    inputs = {k: inputs[k] for k in ("input_ids", "token_type_ids", "attention_mask")}
    teacher = with_weights(BertForMaskedLM(BertConfig(**TEACHER, attn_implementation="eager")), "teacher.")
    out = {f"batch.{k}": batch[k] for k in ("ids", "segments", "offsets", "rows", "labels", "pairs")}
    distilbert(teacher, batch, inputs, out)
    tinybert(teacher, batch, inputs, out)
    save_file(out, OUT)
    print(OUT, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
