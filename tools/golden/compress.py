"""Reference values of one distillation step, computed by torch in float64: tests/golden/distill.safetensors.

Run: python tools/golden/compress.py   (needs torch, transformers, safetensors; seconds)

Weights and batches are hashes of names, as in bert.py. Teacher and student differ in depth and width; the losses are
those of Hinton et al. 2015 and of hidden states behind projections, written out here once more.
"""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import BertConfig, BertForSequenceClassification

from bert import batch_of, f32, padded, packed_rows, weight

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/distill.safetensors"
SIZES = dict(vocab_size=50, max_position_embeddings=20, num_labels=3, hidden_dropout_prob=0.0,
             attention_probs_dropout_prob=0.0)
TEACHER = dict(hidden_size=12, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20)
STUDENT = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=10)
TEMPERATURE, HARD_WEIGHT, COS_WEIGHT = 8.0, 0.5, 2.0


def model_of(prefix, sizes):
    config = BertConfig(**SIZES, **sizes, attn_implementation="eager")
    model = BertForSequenceClassification(config).double().eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(weight(prefix + name, tuple(p.shape), 1.0))
    return model


def outputs(model, batch):
    inputs = padded(batch)
    result = model(input_ids=inputs["input_ids"], token_type_ids=inputs["token_type_ids"],
                   attention_mask=inputs["attention_mask"], output_hidden_states=True)
    return result.logits, [packed_rows(h, batch) for h in result.hidden_states]


def main():
    torch.set_num_threads(1)
    batch = batch_of(3, [7, 2, 13, 5], SIZES["vocab_size"])
    labels = torch.tensor([2, 0, 1, 2])
    teacher, student = model_of("teacher.", TEACHER), model_of("student.", STUDENT)
    names = [f"projection.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")]
    projection = {n: weight(n, (12, 8) if n.endswith("weight") else (12,), 1.0).requires_grad_() for n in names}
    with torch.no_grad():
        teacher_logits, teacher_hidden = outputs(teacher, batch)
    logits, hidden = outputs(student, batch)

    def projected(i, x):
        return x @ projection[f"projection.{i}.weight"].T + projection[f"projection.{i}.bias"]

    p = torch.softmax(teacher_logits / TEMPERATURE, -1)
    kd = -(p * torch.log_softmax(logits / TEMPERATURE, -1)).sum(-1).mean()
    mse = ((projected(0, hidden[0]) - teacher_hidden[0]) ** 2).mean()
    cosine = torch.nn.functional.cosine_similarity(torch.tanh(projected(1, hidden[1])), teacher_hidden[2], dim=-1)
    cos = (1 - cosine).mean()
    hard = torch.nn.functional.cross_entropy(logits, labels)
    total = TEMPERATURE**2 * kd + mse + COS_WEIGHT * cos + HARD_WEIGHT * hard
    total.backward()

    out = {f"batch.{k}": batch[k] for k in ("ids", "segments", "offsets")}
    out["batch.labels"] = labels.numpy().astype(np.int32)
    for name, value in dict(total=total, kd_loss=kd, hidden_hidden_mse_0_0=mse, hidden_cos_1_2=cos,
                            hard_label_loss=hard).items():
        out[name] = np.array([value.item()])
    for name, parameter in {**dict(student.named_parameters()), **projection}.items():
        out[f"grad.{name}"] = f32(parameter.grad)
    save_file(out, OUT)
    print(OUT, OUT.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
