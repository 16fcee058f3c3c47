"""Layers matched by optimal transport, computed by torch and scipy in float64: tests/golden/distill_emd.safetensors.

Run: python tools/golden/distill_emd.py   (needs torch, transformers, scipy, safetensors; seconds)

The models and batches of distill_steps.py. The flow is scipy's, by its linear programs, with even weights of the
layers, and with cost attention behind the first batch. Run "hidden": states behind a projection of each layer's own,
and of the embeddings; "attention": scores; "cost": hidden with cost attention at temperature 2.

  RUN.B.costs, RUN.B.flow                student layers × teacher layers, batch B
  RUN.B.layers, RUN.B.embeddings         the two losses
  RUN.B.student_weights, …               cost: the weights behind the batch
  RUN.B.grad.NAME                        of the sum of both losses, of what it depends on
"""
import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file
from scipy.optimize import linprog

from bert import batch_of, f32, weight
from distill_steps import HEADS, LENGTHS, SIZES, STUDENT, TEACHER, Model

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/distill_emd.safetensors"
S, T, TEMPERATURE = STUDENT["num_hidden_layers"], TEACHER["num_hidden_layers"], 2.0


def flow_of(costs, student, teacher):
    rows = [np.kron(np.eye(S)[i], np.ones(T)) for i in range(S)]
    columns = [np.kron(np.ones(S), np.eye(T)[j]) for j in range(T)]
    # One of the sums follows from the others.
    solved = linprog(costs.ravel(), A_eq=np.array((rows + columns)[:-1]), b_eq=np.concatenate([student, teacher])[:-1],
                     method="highs-ds", options=dict(primal_feasibility_tolerance=1e-10, dual_feasibility_tolerance=1e-10))
    assert solved.success
    return solved.x.reshape(S, T)


def by_cost(flow, costs, before, axis):
    unit = (flow * costs).sum(axis) / before
    x = unit.sum() / unit / TEMPERATURE
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def run(name, out):
    teacher, student = Model("teacher.", TEACHER), Model("student.", STUDENT)
    shapes = dict(weight=(12, 8), bias=(12,))
    projection = {f"emd.0.projection.{i}.{kind}": torch.nn.Parameter(weight(f"emd.0.projection.{i}.{kind}", shape, 1.0))
                  for i in range(S + 1) for kind, shape in shapes.items()}
    weights = np.full(S, 1 / S), np.full(T, 1 / T)
    parameters = dict(student.model.named_parameters())
    for at in range(3 if name == "cost" else 1):
        batch = batch_of(at, LENGTHS[at], SIZES["vocab_size"])
        with torch.no_grad():
            wanted = teacher(batch)[1]
        hidden = student(batch)[1]

        def states(i, j):
            x = hidden[i] @ projection[f"emd.0.projection.{i}.weight"].T + projection[f"emd.0.projection.{i}.bias"]
            return ((x - wanted[j]) ** 2).mean()

        def scores(i, j):
            pairs = list(zip(student.scores(i, batch), (x.detach() for x in teacher.scores(j, batch))))
            return sum(((x - y) ** 2).sum() for x, y in pairs) / sum(HEADS * y.shape[-1] ** 2 for _, y in pairs)

        distance = scores if name == "attention" else states
        d = [[distance(i + 1, j + 1) for j in range(T)] for i in range(S)]
        costs = np.array([[x.item() for x in row] for row in d])
        flow = flow_of(costs, *weights)
        layers = sum(flow[i, j] * d[i][j] for i in range(S) for j in range(T))
        total = layers
        out.update({f"{name}.{at}.costs": costs, f"{name}.{at}.flow": flow,
                    f"{name}.{at}.layers": np.array([layers.item()])})
        if name != "attention":
            embeddings = states(0, 0)
            total = layers + embeddings
            out[f"{name}.{at}.embeddings"] = np.array([embeddings.item()])
        if name == "cost":
            weights = by_cost(flow, costs, weights[0], 1), by_cost(flow, costs, weights[1], 0)
            out.update({f"{name}.{at}.student_weights": weights[0], f"{name}.{at}.teacher_weights": weights[1]})
            continue
        total.backward()
        for key, p in {**parameters, **projection}.items():
            if p.grad is not None and p.grad.abs().max() > 0:
                out[f"{name}.{at}.grad.{key}"] = f32(p.grad)


def main():
    torch.set_num_threads(1)
    out = {}
    for name in ("hidden", "attention", "cost"):
        run(name, out)
    save_file(out, OUT)
    print(OUT, OUT.stat().st_size, "bytes")
    for key, value in out.items():
        if "grad" not in key:
            print(key, value.round(6).tolist())


if __name__ == "__main__":
    main()
