"""Reference values of the BiGRU family, computed by torch.nn.GRU in float64: tests/golden/families/bigru-*.

Run: python tools/golden/bigru.py   (after families.py, which clears the folder; needs torch, safetensors; seconds)

No other library has this family, so the model is written out here once more, from the modules of torch. Folders, batches
and what is stored of them are those of families.py.
"""
import json
import shutil
import types

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

from families import COMMITTED, SMALL, batch_of, f32, randomized, run

HEADS = {"MaskedLM": "BiGruForMaskedLM", "SequenceClassification": "BiGruForSequenceClassification",
         "TokenClassification": "BiGruForTokenClassification", "MultipleChoice": "BiGruForMultipleChoice",
         "QuestionAnswering": "BiGruForQuestionAnswering"}
WIDTH = 17  # of a GRU


def tree(**modules):
    return nn.ModuleDict(modules)


def linear(inputs, outputs):
    return tree(dense=nn.Linear(inputs, outputs))


class BiGru(nn.Module):
    def __init__(self, head, layers, V=SMALL["vocab_size"], C=SMALL["hidden_size"]):
        super().__init__()
        self.head = head
        self.bigru = tree(
            embeddings=tree(word_embeddings=nn.Embedding(V, C), token_type_embeddings=nn.Embedding(2, C),
                            position_embeddings=nn.Embedding(SMALL["max_position_embeddings"], C),
                            LayerNorm=nn.LayerNorm(C, eps=1e-12)),
            encoder=tree(layer=nn.ModuleList(
                tree(gru=nn.GRU(C, WIDTH, bidirectional=True, batch_first=True), output=linear(2 * WIDTH, C))
                for _ in range(layers))))
        if head == "MaskedLM":
            self.cls = tree(predictions=tree(transform=tree(dense=nn.Linear(C, C), LayerNorm=nn.LayerNorm(C, eps=1e-12))))
            self.cls["predictions"].register_parameter("bias", nn.Parameter(torch.zeros(V)))
        elif head == "QuestionAnswering":
            self.qa_outputs = nn.Linear(C, 2)
        else:
            self.classifier = nn.Linear(C, 1 if head == "MultipleChoice" else 3)

    def forward(self, input_ids, token_type_ids, **_):
        ids, types_ = input_ids.reshape(1, -1), token_type_ids.reshape(1, -1)
        e = self.bigru["embeddings"]
        x = e["LayerNorm"](e["word_embeddings"](ids) + e["token_type_embeddings"](types_) +
                           e["position_embeddings"](torch.arange(ids.shape[1])[None]))
        states = [x]
        for layer in self.bigru["encoder"]["layer"]:
            x = layer["output"]["dense"](layer["gru"](x)[0])
            states.append(x)
        out = types.SimpleNamespace(hidden_states=states)
        if self.head == "MaskedLM":
            lm = self.cls["predictions"]
            t = lm["transform"]["LayerNorm"](nn.functional.gelu(lm["transform"]["dense"](x)))
            out.logits = t @ e["word_embeddings"].weight.T + lm.bias
        elif self.head == "QuestionAnswering":
            out.start_logits, out.end_logits = self.qa_outputs(x).unbind(-1)
        else:
            out.logits = self.classifier(x if self.head == "TokenClassification" else x.mean(1))
        return out


def config_of(head, layers):
    config = {k: v for k, v in SMALL.items() if k not in ("num_attention_heads", "intermediate_size",
                                                           "attention_probs_dropout_prob")}
    config |= dict(model_type="bigru", architectures=[HEADS[head]], gru_size=WIDTH, num_hidden_layers=layers,
                   type_vocab_size=2)
    if head in ("SequenceClassification", "TokenClassification"):
        config["id2label"] = {str(i): f"LABEL_{i}" for i in range(3)}
    return config


def write(head):
    layers, seed = (1 if head == "MultipleChoice" else 2), len(head)
    folder = COMMITTED / f"bigru-{head}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    model = randomized(BiGru(head, layers), seed, 0.3).eval()
    save_file({n: f32(p) for n, p in model.named_parameters()}, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config_of(head, layers), indent=2) + "\n")

    model = model.double()
    batch = batch_of(seed + 1, SMALL["vocab_size"], True)
    out, loss = run(model, "bigru", head, batch)
    loss.backward()
    expected = {f"batch.{k}": v for k, v in batch.items() if k != "choices" or head == "MultipleChoice"}
    expected |= {k: f32(v) for k, v in out.items()}
    expected["loss"] = np.array([loss.item()])
    expected |= {f"grad.{n}": f32(p.grad) for n, p in model.named_parameters()}
    save_file(expected, folder / "expected.safetensors", metadata={"made by": "tools/golden/bigru.py"})


if __name__ == "__main__":
    torch.set_num_threads(1)
    for each in HEADS:
        write(each)
