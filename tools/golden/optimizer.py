"""Writes tests/golden/optimizer.json: steps of torch.optim and learning rates of transformers' schedules.

Run: python tools/golden/optimizer.py (needs torch and transformers).

Two parameters in f64: "w" (3, 4) with weight decay and "b" (4) without. Element i of parameter p has the gradient
sin(1 + i + 3·p + 0.7·t) in step t = 1, 2, …, so that the test needs no input file.
"""
import json
import math
import pathlib

import torch
from transformers import get_cosine_schedule_with_warmup, get_linear_schedule_with_warmup

OUT = pathlib.Path(__file__).parents[2] / "tests/golden/optimizer.json"
STEPS = 20


def start():
    w = torch.nn.Parameter(torch.cos(torch.arange(12, dtype=torch.float64)).reshape(3, 4))
    b = torch.nn.Parameter(torch.cos(torch.arange(4, dtype=torch.float64) + 50))
    return w, b


def run(make, rate, decay):
    w, b = start()
    optimizer = make([{"params": [w], "weight_decay": decay}, {"params": [b], "weight_decay": 0.0}], rate)
    for t in range(1, STEPS + 1):
        for p, x in enumerate((w, b)):
            i = torch.arange(x.numel(), dtype=torch.float64)
            x.grad = torch.sin(1 + i + 3 * p + 0.7 * t).reshape(x.shape)
        optimizer.step()
    return {"w": w.detach().flatten().tolist(), "b": b.detach().flatten().tolist()}


def rates(schedule, warmup, steps):
    x = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([x], lr=1.0)
    scheduler = schedule(optimizer, warmup, steps)
    out = []
    for _ in range(steps + 1):
        out.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return out


golden = {
    "steps": STEPS,
    "adamw": run(lambda p, rate: torch.optim.AdamW(p, lr=rate, betas=(0.9, 0.99), eps=1e-6), 0.01, 0.1),
    "sgd": run(lambda p, rate: torch.optim.SGD(p, lr=rate, momentum=0.9), 0.01, 0.1),
    "linear": rates(get_linear_schedule_with_warmup, 3, 12),
    "cosine": rates(get_cosine_schedule_with_warmup, 3, 12),
}
assert all(math.isfinite(v) for v in golden["adamw"]["w"])
OUT.write_text(json.dumps(golden, indent=1) + "\n")
