"""Three optimizer steps of a distillation, computed by torch in float64: tests/golden/distill_steps.safetensors.

Run: python tools/golden/distill_steps.py   (needs torch, transformers, safetensors; seconds)

A BERT of 4 layers teaches a narrower one of 2 by logits, true labels, hidden states behind linear projections, scores
of attention and probabilities of attention. Every step has a batch of its own; AdamW, clipping and the falling rate
are PyTorch's. Weights and batches are hashes of names, as in bert.py. Run "plain": everything at one rate;
"own": projections with learning rates and weight decays of their own.

  RUN.S.total, RUN.S.kd_loss, …       losses of step S, each without its weight
  RUN.S.norm, RUN.S.grad.NAME         of the gradients before clipping
  RUN.end.NAME                        parameters behind the last step
"""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import BertConfig, BertForSequenceClassification

from bert import batch_of, f32, packed_rows, padded, weight

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/distill_steps.safetensors"
HEADS, STEPS, PEAK, LONGEST, DECAY = 2, 3, 5e-3, 1.0, 0.01
SIZES = dict(vocab_size=50, max_position_embeddings=20, num_labels=3, hidden_dropout_prob=0.0,
             attention_probs_dropout_prob=0.0, num_attention_heads=HEADS)
TEACHER = dict(hidden_size=12, num_hidden_layers=4, intermediate_size=20)
STUDENT = dict(hidden_size=8, num_hidden_layers=2, intermediate_size=10)
TEMPERATURE, HARD = 8.0, 0.5
HIDDEN = {(0, 0): 1.0, (1, 2): 1.0, (2, 4): 2.0}  # student, teacher: weight
SCORES, PROBABILITIES = {(1, 2): 1.0}, {(2, 4): 0.5}
OWN = {0: dict(lr=2e-2), 2: dict(lr=1e-3, weight_decay=0.5)}  # projection: of its own
LENGTHS = [[7, 2, 13, 5], [4, 9, 1], [11, 6, 3, 8, 2]]


class Model:
    def __init__(self, prefix, sizes):
        config = BertConfig(**SIZES, **sizes, attn_implementation="eager")
        self.model, self.parts = BertForSequenceClassification(config).double().eval(), {}
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                p.copy_(weight(prefix + name, tuple(p.shape), 1.0))
        for i, layer in enumerate(self.model.bert.encoder.layer):
            for part in ("query", "key"):
                def keep(module, inputs, output, at=(i + 1, part)):
                    self.parts[at] = output
                getattr(layer.attention.self, part).register_forward_hook(keep)

    def __call__(self, batch):
        inputs = padded(batch)
        inputs = {k: inputs[k] for k in ("input_ids", "token_type_ids", "attention_mask")}
        result = self.model(**inputs, output_hidden_states=True)
        return result.logits, [packed_rows(h, batch) for h in result.hidden_states]

    def scores(self, layer, batch):
        """q kᵀ/√D of every sequence: a list of (heads, T, T)."""
        q, k = (self.parts[layer, part] for part in ("query", "key"))
        heads = lambda x, n: x[:n].reshape(n, HEADS, -1).transpose(0, 1)
        return [heads(q[b], n) @ heads(k[b], n).transpose(1, 2) / (q.shape[-1] / HEADS) ** 0.5
                for b, n in enumerate(np.diff(batch["offsets"]))]


def losses(teacher, student, projection, batch, labels):
    """[(name, loss, weight)] in the order of the sum."""
    with torch.no_grad():
        teacher_logits, teacher_hidden = teacher(batch)
    logits, hidden = student(batch)
    N = len(batch["ids"])
    p = torch.softmax(teacher_logits / TEMPERATURE, -1)
    all = [("kd_loss", -(p * torch.log_softmax(logits / TEMPERATURE, -1)).sum(-1).mean(), 1.0)]
    for i, ((s, t), w) in enumerate(HIDDEN.items()):
        states = hidden[s] @ projection[f"projection.{i}.weight"].T + projection[f"projection.{i}.bias"]
        all.append((f"hidden_hidden_mse_{s}_{t}", ((states - teacher_hidden[t]) ** 2).mean(), w))
    for (s, t), w in SCORES.items():
        pairs = list(zip(student.scores(s, batch), (x.detach() for x in teacher.scores(t, batch))))
        count = sum(HEADS * y.shape[-1] ** 2 for _, y in pairs)
        all.append((f"attention_attention_mse_{s}_{t}", sum(((x - y) ** 2).sum() for x, y in pairs) / count, w))
    for (s, t), w in PROBABILITIES.items():
        pairs = list(zip(student.scores(s, batch), (x.detach() for x in teacher.scores(t, batch))))
        ce = sum((torch.softmax(y, -1) * torch.log_softmax(x, -1)).sum() for x, y in pairs)
        all.append((f"attention_attention_ce_{s}_{t}", -ce / (HEADS * N), w))
    return all + [("hard_label_loss", torch.nn.functional.cross_entropy(logits, labels), HARD)]


def run(name, own, out):
    teacher, student = Model("teacher.", TEACHER), Model("student.", STUDENT)
    projection = {}
    for i in range(len(HIDDEN)):
        for kind, shape in (("weight", (12, 8)), ("bias", (12,))):
            key = f"projection.{i}.{kind}"
            projection[key] = torch.nn.Parameter(weight(key, shape, 1.0))
    parameters = {**dict(student.model.named_parameters()), **projection}

    def group(key, p):
        group = dict(params=[p], lr=PEAK, weight_decay=DECAY)
        if key.startswith("projection."):
            group.update(own.get(int(key.split(".")[1]), {}))
        return {**group, "weight_decay": group["weight_decay"] if p.dim() > 1 else 0.0}

    optimizer = torch.optim.AdamW([group(k, p) for k, p in parameters.items()], betas=(0.9, 0.999), eps=1e-6)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (STEPS + 1))
    for step in range(STEPS):
        batch = batch_of(step, LENGTHS[step], SIZES["vocab_size"])
        labels = torch.tensor([(b + step) % 3 for b in range(len(LENGTHS[step]))])
        for key in ("ids", "segments", "offsets"):
            out[f"batch.{step}.{key}"] = batch[key]
        out[f"batch.{step}.labels"] = labels.numpy().astype(np.int32)
        parts = losses(teacher, student, projection, batch, labels)
        total = sum(w * loss for _, loss, w in parts)
        optimizer.zero_grad()
        total.backward()
        for key, loss, _ in [("total", total, 1), *parts]:
            out[f"{name}.{step}.{key}"] = np.array([loss.item()])
        if not own:  # whose losses and end say all
            out.update({f"{name}.{step}.grad.{key}": f32(p.grad) for key, p in parameters.items()})
        norm = torch.nn.utils.clip_grad_norm_(list(parameters.values()), LONGEST)
        out[f"{name}.{step}.norm"] = np.array([norm.item()])
        optimizer.step()
        schedule.step()
    for key, p in parameters.items():
        out[f"{name}.end.{key}"] = f32(p)


def main():
    torch.set_num_threads(1)
    out = {}
    run("plain", {}, out)
    run("own", OWN, out)
    save_file(out, OUT)
    print(OUT, OUT.stat().st_size, "bytes")
    for step in range(STEPS):
        print({k.split(".")[-1]: round(float(v[0]), 4) for k, v in out.items()
               if k.startswith(f"plain.{step}.") and ".grad" not in k})


if __name__ == "__main__":
    main()
