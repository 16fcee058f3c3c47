"""Reference values of every model family, computed by transformers in float64: tests/golden/families/.

    python tools/golden/families.py                 the committed ones: one small model for each class
    python tools/golden/families.py --full FOLDER   at least twelve configurations for each family, then:
    INK_FAMILIES=FOLDER build/tests/test_nn --gtest_filter='*Families*'
    python tools/golden/families.py --base FOLDER   base-sized models (no gradients)

Needs torch, transformers, safetensors. Each model is a folder as save_pretrained writes it (whole or sharded safetensors,
or pytorch_model.bin; f32 or f16) with one more file, expected.safetensors: a packed batch, labels, and what the model
makes of them (hidden states, logits, the loss, every gradient). Sequences are run one by one: there is no padding.
"""
import argparse
import pathlib
import shutil

import numpy as np
import torch
import transformers as T
from safetensors.numpy import save_file

COMMITTED = pathlib.Path(__file__).resolve().parents[2] / "tests/golden/families"
V, SEQUENCES, CHOICES = 97, [7, 1, 13, 5], 2
SMALL = dict(vocab_size=V, hidden_size=20, num_hidden_layers=3, num_attention_heads=5, intermediate_size=37,
             max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
ODD = dict(vocab_size=997, hidden_size=60, num_hidden_layers=3, num_attention_heads=5, intermediate_size=97)
BASE = dict(vocab_size=21128, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
            max_position_embeddings=512)
RENAMED = {
    "distilbert": dict(hidden_size="dim", num_hidden_layers="n_layers", num_attention_heads="n_heads",
                       intermediate_size="hidden_dim", hidden_act="activation", hidden_dropout_prob="dropout",
                       attention_probs_dropout_prob="attention_dropout"),
    "xlnet": dict(hidden_size="d_model", num_hidden_layers="n_layer", num_attention_heads="n_head",
                  intermediate_size="d_inner", hidden_act="ff_activation", hidden_dropout_prob="dropout",
                  attention_probs_dropout_prob=None, max_position_embeddings=None, type_vocab_size=None),
}
# family → (class stem, what the small models of the family have besides)
FAMILIES = {
    "bert": ("Bert", {}),
    "roberta": ("Roberta", dict(type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)),
    "xlm-roberta": ("XLMRoberta", dict(type_vocab_size=1, pad_token_id=1, layer_norm_eps=1e-5)),
    "electra": ("Electra", dict(embedding_size=12)),
    "albert": ("Albert", dict(embedding_size=12, num_hidden_groups=1, inner_group_num=1)),
    "distilbert": ("DistilBert", dict(sinusoidal_pos_embds=False)),
    "mobilebert": ("MobileBert", dict(embedding_size=12, intra_bottleneck_size=15, num_feedforward_networks=3)),
    "xlnet": ("XLNet", dict(untie_r=True)),
}
HEADS = ["Model", "PreTraining", "MaskedLM", "SequenceClassification", "TokenClassification", "QuestionAnswering",
         "MultipleChoice"]
WITHOUT_PAIRS = {"roberta", "xlm-roberta", "distilbert", "xlnet"}


def class_name(family, head):
    stem = FAMILIES[family][0]
    if head == "Model":
        return stem + "Model"
    if family == "xlnet":
        special = {"MaskedLM": "XLNetLMHeadModel", "QuestionAnswering": "XLNetForQuestionAnsweringSimple"}
        if head in special:
            return special[head]
    return f"{stem}For{head}"


def config_of(family, head, sizes, extra):
    values = {**sizes, **FAMILIES[family][1], **extra}
    names = RENAMED.get(family, {})
    values = {names.get(k, k): v for k, v in values.items() if names.get(k, k) is not None}
    if family == "distilbert":
        values.pop("type_vocab_size", None)
        values.pop("layer_norm_eps", None)
    config = T.CONFIG_MAPPING[family](**values)
    config.num_labels = 3 if head in ("SequenceClassification", "TokenClassification") else 2
    config._attn_implementation = "eager"
    return config


def exact_positions(self, qlen, klen, bsz=None, device=None):
    """XLNet's table of sines in float64; transformers makes it in float32."""
    frequency = 1 / torch.pow(10000, torch.arange(0, self.d_model, 2, dtype=torch.float64) / self.d_model)
    position = torch.arange(klen, -qlen, -1, dtype=torch.float64)
    if self.clamp_len > 0:
        position = position.clamp(-self.clamp_len, self.clamp_len)
    angle = torch.outer(position, frequency)
    table = torch.cat([angle.sin(), angle.cos()], -1)[:, None, :]
    return table.expand(-1, bsz, -1) if bsz is not None else table


T.XLNetModel.relative_positional_encoding = exact_positions


def randomized(model, seed, spread):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator) * spread
            one = name.endswith("weight") and p.dim() == 1
            p.copy_(noise + (1 if one else 0))
    return model


def batch_of(seed, vocabulary, segments, first_id=6):
    draw = np.random.default_rng(seed)
    N = sum(SEQUENCES)
    offsets = np.concatenate([[0], np.cumsum(SEQUENCES)]).astype(np.int32)
    place = np.concatenate([np.arange(n) for n in SEQUENCES])
    lengths = np.repeat(SEQUENCES, SEQUENCES)
    rows = np.flatnonzero(draw.random(N) < 0.4).astype(np.int32)
    return dict(ids=draw.integers(first_id, vocabulary, N).astype(np.int32),
                segments=(place * 2 >= lengths).astype(np.int32) if segments else np.zeros(N, np.int32),
                offsets=offsets, rows=rows, labels=draw.integers(0, vocabulary, len(rows)).astype(np.int32),
                pairs=draw.integers(0, 2, len(SEQUENCES)).astype(np.int32),
                classes=draw.integers(0, 3, len(SEQUENCES)).astype(np.int32),
                tags=draw.integers(0, 3, N).astype(np.int32),
                starts=np.array([draw.integers(0, n) for n in SEQUENCES], np.int32),
                ends=np.array([draw.integers(0, n) for n in SEQUENCES], np.int32),
                replaced=draw.integers(0, 2, N).astype(np.float32),
                choices=draw.integers(0, CHOICES, len(SEQUENCES) // CHOICES).astype(np.int32))


def run(model, family, head, batch):
    """→ (outputs by name, loss)"""
    offsets, out = batch["offsets"], {}
    hidden, mlm, pooled, sequence, pair, token, spans, replaced, choice = [], [], [], [], [], [], [], [], []
    for b, n in enumerate(SEQUENCES):
        s = slice(offsets[b], offsets[b + 1])
        arguments = dict(input_ids=torch.from_numpy(batch["ids"][s].astype(np.int64))[None],
                         attention_mask=torch.ones(1, n, dtype=torch.long), output_hidden_states=True)
        if family != "distilbert":
            arguments["token_type_ids"] = torch.from_numpy(batch["segments"][s].astype(np.int64))[None]
        if head == "MultipleChoice":  # the choices of a question are of different lengths: each by itself
            arguments |= {k: v[None] for k, v in arguments.items() if isinstance(v, torch.Tensor)}
        r = model(**arguments)
        hidden.append([h[0] for h in r.hidden_states])
        if head == "Model":
            pooled.append(r.pooler_output if getattr(r, "pooler_output", None) is not None else None)
        elif head == "PreTraining" and family == "electra":
            replaced.append(r.logits[0])
        elif head == "PreTraining":
            mlm.append(r.prediction_logits[0])
            pair.append(getattr(r, "seq_relationship_logits", getattr(r, "sop_logits", None)))
        elif head == "MaskedLM":
            mlm.append(r.logits[0])
        elif head == "SequenceClassification":
            sequence.append(r.logits)
        elif head == "MultipleChoice":
            choice.append(r.logits)
        elif head == "TokenClassification":
            token.append(r.logits[0])
        else:
            spans.append(torch.stack([r.start_logits[0], r.end_logits[0]], 1))
    for i in range(len(hidden[0])):
        out[f"hidden.{i}"] = torch.cat([h[i] for h in hidden])
    ce = torch.nn.functional.cross_entropy
    long = lambda key: torch.from_numpy(batch[key].astype(np.int64))
    loss = out[f"hidden.{len(hidden[0]) - 1}"].square().mean() if head == "Model" else 0
    if pooled and pooled[0] is not None:
        out["pooled"] = torch.cat(pooled)
        loss = loss + out["pooled"].square().mean()
    if mlm:
        out["masked_lm"] = torch.cat(mlm)[batch["rows"]]
        loss = loss + ce(out["masked_lm"], long("labels"))
    if pair:
        out["pair"] = torch.cat(pair)
        loss = loss + ce(out["pair"], long("pairs"))
    if sequence:
        out["classification"] = torch.cat(sequence)
        loss = loss + ce(out["classification"], long("classes"))
    if choice:
        out["choice"] = torch.cat(choice).reshape(-1, CHOICES)
        loss = loss + ce(out["choice"], long("choices"))
    if token:
        out["tagging"] = torch.cat(token)
        loss = loss + ce(out["tagging"], long("tags"))
    if spans:
        out["span"] = torch.cat(spans)
        each = [(ce(x[:, 0], long("starts")[b]) + ce(x[:, 1], long("ends")[b])) / 2 for b, x in enumerate(spans)]
        loss = loss + torch.stack(each).mean()
    if replaced:
        out["replaced"] = torch.cat(replaced)
        loss = loss + torch.nn.functional.binary_cross_entropy_with_logits(
            out["replaced"], torch.from_numpy(batch["replaced"]).double())
    return out, loss


def two_streams(model, batch):
    """XLNet's query stream for a random order of each sequence; every position is a target."""
    draw, out = np.random.default_rng(3), {}
    offsets, queries = batch["offsets"], []
    for b, n in enumerate(SEQUENCES):
        s = slice(offsets[b], offsets[b + 1])
        rank = draw.permutation(n)
        visible = (rank[None, :] < rank[:, None]).astype(np.float32)
        ids = torch.from_numpy(batch["ids"][s].astype(np.int64))[None]
        r = model.transformer(input_ids=ids, token_type_ids=torch.from_numpy(batch["segments"][s].astype(np.int64))[None],
                              perm_mask=torch.from_numpy(1 - visible).double()[None],
                              target_mapping=torch.eye(n, dtype=torch.float64)[None])
        out[f"visible.{b}"] = visible
        queries.append(r.last_hidden_state[0])
    out["query"] = torch.cat(queries)
    return out


def f32(x):
    return np.ascontiguousarray((x.detach().numpy() if isinstance(x, torch.Tensor) else x).astype(np.float32))


def write(folder, family, head, sizes=SMALL, extra=None, seed=1, spread=0.1, half=False, sharded=False, form="safetensors",
          old_names=False, gradients=True):
    config = config_of(family, head, sizes, extra or {})
    model = randomized(getattr(T, class_name(family, head))(config), seed, spread).eval()
    if half:
        model = model.half()
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, max_shard_size="20KB" if sharded else "10GB")
    if form == "bin" or old_names:
        from safetensors.torch import load_file, save_file as save_torch
        path = folder / "model.safetensors"
        state = load_file(path)
        if old_names:
            state = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v
                     for k, v in state.items()}
        path.unlink()
        if form == "bin":
            torch.save(state, folder / "pytorch_model.bin")
        else:
            save_torch(state, path, metadata={"format": "pt"})
    for extra_file in ("generation_config.json",):
        (folder / extra_file).unlink(missing_ok=True)

    model = model.double()
    vocabulary = config.vocab_size
    batch = batch_of(seed + 1, vocabulary, family not in ("roberta", "xlm-roberta", "distilbert"))
    with torch.set_grad_enabled(gradients):
        out, loss = run(model, family, head, batch)
    expected = {f"batch.{k}": v for k, v in batch.items() if k != "choices" or head == "MultipleChoice"}
    expected |= {k: f32(v) for k, v in out.items()}
    expected["loss"] = np.array([loss.item()])
    if gradients:
        loss.backward()
        names = {}  # a tied tensor has several; the decoder's is not the one that files use
        for name, p in model.named_parameters(remove_duplicate=False):
            if p.grad is not None and (id(p) not in names or "embedding" in name or "decoder" in names[id(p)][0]):
                names[id(p)] = (name, p)
        # An untied decoder has the bias that is used; ours goes by its usual name.
        expected |= {"grad." + name.replace(".decoder.bias", ".bias"): f32(p.grad) for name, p in names.values()}
    if family == "xlnet" and head == "MaskedLM":
        expected |= {k: f32(v) for k, v in two_streams(model, batch).items()}
    save_file(expected, folder / "expected.safetensors", metadata={"made by": "tools/golden/families.py"})
    return folder


def heads_of(family):
    return [h for h in HEADS if h != "PreTraining" or family not in WITHOUT_PAIRS]


def committed():
    shutil.rmtree(COMMITTED, ignore_errors=True)
    for family in FAMILIES:
        wanted = {heads_of(family)[1], "SequenceClassification"}  # pre-training or masked LM, and what differs most
        if family in ("bert", "distilbert", "electra"):
            wanted = set(heads_of(family))
        for head in sorted(wanted | {"MultipleChoice"}):
            # The body under multiple choice is that of the others: one layer of it will do.
            sizes = dict(SMALL, num_hidden_layers=1) if head == "MultipleChoice" else SMALL
            write(COMMITTED / f"{family}-{head}", family, head, sizes, seed=len(family) + len(head))
    write(COMMITTED / "electra-same-size-half", "electra", "MaskedLM", extra=dict(embedding_size=20), half=True)
    write(COMMITTED / "albert-groups", "albert", "MaskedLM", sizes=dict(SMALL, num_hidden_layers=5),
          extra=dict(num_hidden_groups=2, inner_group_num=2))


def full(root):
    common = [dict(), dict(sizes=ODD), dict(sizes=ODD, half=True), dict(sizes=ODD, sharded=True), dict(form="bin"),
              dict(old_names=True), dict(extra=dict(hidden_act="relu")), dict(extra=dict(hidden_act="gelu_new")),
              dict(sizes=dict(SMALL, num_hidden_layers=1)), dict(sizes=dict(SMALL, hidden_size=5)),
              dict(sizes=dict(SMALL, num_attention_heads=1)), dict(sizes=dict(SMALL, intermediate_size=1)),
              dict(extra=dict(tie_word_embeddings=False))]
    own = {
        "bert": [dict(extra=dict(type_vocab_size=5))],
        "electra": [dict(extra=dict(embedding_size=20)), dict(extra=dict(embedding_size=31))],
        "albert": [dict(sizes=dict(SMALL, num_hidden_layers=6), extra=dict(num_hidden_groups=3)),
                   dict(sizes=dict(SMALL, num_hidden_layers=5), extra=dict(num_hidden_groups=2, inner_group_num=2))],
        "mobilebert": [dict(extra=dict(normalization_type="layer_norm")), dict(extra=dict(trigram_input=False)),
                       dict(extra=dict(use_bottleneck=False)), dict(extra=dict(use_bottleneck_attention=True)),
                       dict(extra=dict(num_feedforward_networks=1)), dict(extra=dict(classifier_activation=False))],
        "xlnet": [dict(extra=dict(clamp_len=3))],
        "distilbert": [dict(extra=dict(sinusoidal_pos_embds=True))],
    }
    for family in FAMILIES:
        heads = heads_of(family)
        for i, arguments in enumerate(common + own.get(family, [])):
            if family == "xlnet" and arguments.get("sizes", {}).get("hidden_size") == 5:
                arguments = dict(sizes=dict(SMALL, hidden_size=10))  # an even number
            if arguments.get("extra", {}).get("tie_word_embeddings") is False and family in ("xlnet", "mobilebert"):
                continue
            if family == "mobilebert" and arguments.get("sizes", {}).get("hidden_size") == 5:
                continue  # narrower than its embeddings
            head = "MaskedLM" if "tie_word_embeddings" in arguments.get("extra", {}) else heads[i % len(heads)]
            for each in {head, "MaskedLM"}:
                write(root / f"{family}-{i:02d}-{each}", family, each, seed=i, **arguments)


def base(root):
    for family in FAMILIES:
        extra = dict(embedding_size=768 if family == "electra" else 128) if family in ("electra", "albert", "mobilebert") else {}
        sizes = dict(BASE)
        if family == "mobilebert":
            sizes |= dict(hidden_size=512, num_hidden_layers=24, num_attention_heads=4, intermediate_size=512)
            extra |= dict(intra_bottleneck_size=128, num_feedforward_networks=4)
        if family in ("roberta", "xlm-roberta"):
            sizes["max_position_embeddings"] = 514
        write(root / f"{family}-base", family, "MaskedLM", sizes=sizes, extra=extra, spread=0.04, gradients=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--base", type=pathlib.Path, metavar="FOLDER")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    T.logging.set_verbosity_error()
    if arguments.full:
        full(arguments.full)
    elif arguments.base:
        base(arguments.base)
    else:
        committed()
