"""Golden values of real TextBrewer runs (float64, CPU), for toolkits.py to choose from.

    python textbrewer_runs.py [OUT_DIR]
Import path must hold TextBrewer at repository HEAD 2c105fa; set TEXTBREWER_WHEEL to the `textbrewer` folder of the
PyPI package 0.2.1.post1 to add the two values in which that package differs (nst with a mask).
Writes textbrewer_losses.safetensors, textbrewer_step.safetensors, textbrewer.json.
"""
import importlib.util, json, os, sys, tempfile
import torch, transformers, textbrewer
from safetensors.torch import save_file
from torch import nn
from transformers import BertConfig, BertForSequenceClassification
from textbrewer import DistillationConfig, GeneralDistiller, TrainingConfig
from textbrewer.distiller_utils import probability_shift_
from textbrewer.presets import KD_LOSS_MAP, MATCH_LOSS_MAP, TEMPERATURE_SCHEDULER, WEIGHT_SCHEDULER

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
torch.set_num_threads(1)
D = torch.float64
T, J = {}, {"textbrewer": textbrewer.__version__, "transformers": transformers.__version__, "torch": torch.__version__.split("+")[0], "losses": {}}
g = torch.Generator().manual_seed(2002)
rnd = lambda *s, scale=1.0: scale * torch.randn(*s, generator=g, dtype=D)


def record(name, fn, students, **info):
    """Value of fn(*students) and its gradient with respect to each student tensor."""
    leaves = [s.clone().requires_grad_() for s in students]
    value = fn(*leaves)
    grads = torch.autograd.grad(value, leaves)
    J["losses"][name] = dict(value=float(value.detach()), **info)
    for i, d in enumerate(grads):
        T[f"{name}.grad{i}"] = d


# ---- inputs: batch 3, length 6, student hidden 8, teacher hidden 8 (same) or 12 (only for nst), 4 heads, 5 classes
B, L, H, HT, A, C = 3, 6, 8, 12, 4, 5
mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0], [1, 1, 0, 0, 0, 0]])
labels = torch.tensor([4, 0, 2])
token_labels = torch.tensor([[0, 1, 2, 3, 4, 0], [1, -100, 2, 2, -100, -100], [3, 4, -100, -100, -100, -100]])
S2, T2 = rnd(B, C, scale=2.0), rnd(B, C, scale=2.0)
S3, T3 = rnd(B, L, C, scale=2.0), rnd(B, L, C, scale=2.0)
hS, hS2, hT, hT2 = rnd(B, L, H), rnd(B, L, H), rnd(B, L, H), rnd(B, L, H)
wT, wT2 = rnd(B, L, HT), rnd(B, L, HT)
aS, aT = rnd(B, A, L, L), rnd(B, A, L, L)
pad = (1.0 - mask.to(D))[:, None, None, :] * -10000.0
aSp, aTp = aS + pad, aT + pad
for k, v in dict(S2=S2, T2=T2, S3=S3, T3=T3, hS=hS, hS2=hS2, hT=hT, hT2=hT2, wT=wT, wT2=wT2, aS=aS, aT=aT, aS_padded=aSp, aT_padded=aTp).items():
    T["in." + k] = v
for k, v in dict(mask=mask, labels=labels, token_labels=token_labels).items():
    T["in." + k] = v.to(torch.int32)

for kind in ("ce", "mse"):
    kd = KD_LOSS_MAP[kind]
    for tau in (1.0, 4.0, 8.0):
        record(f"kd_{kind}.2d.tau{tau:g}", lambda s: kd(s, T2, tau), [S2], student=["S2"], teacher=["T2"], temperature=tau)
        record(f"kd_{kind}.3d.tau{tau:g}", lambda s: kd(s, T3, tau), [S3], student=["S3"], teacher=["T3"], temperature=tau)
    # logits_mask: rows are gathered before the loss
    record(f"kd_{kind}.3d_masked.tau8", lambda s: kd(s[mask.bool()], T3[mask.bool()], 8.0), [S3], student=["S3"], teacher=["T3"], temperature=8.0, logits_mask="mask")
    record(f"kd_{kind}.shift.tau4", lambda s: kd(s, probability_shift_(T2.clone(), labels), 4.0), [S2], student=["S2"], teacher=["T2"], temperature=4.0, probability_shift="labels")
    record(f"kd_{kind}.3d_shift.tau4", lambda s: kd(s, probability_shift_(T3.clone(), token_labels), 4.0), [S3], student=["S3"], teacher=["T3"], temperature=4.0, probability_shift="token_labels")
    for tag, spec in (("flsw_1_1", ["flsw", 1, 1]), ("flsw_2_2", ["flsw", 2, 2]), ("flsw_0.5_3", ["flsw", 0.5, 3]), ("cwsm_1", ["cwsm", 1]), ("cwsm_0.5", ["cwsm", 0.5])):
        for dim, (s0, t0, sn, tn) in (("2d", (S2, T2, "S2", "T2")), ("3d", (S3, T3, "S3", "T3"))):
            sch = TEMPERATURE_SCHEDULER[spec]
            T[f"{tag}.{dim}.tau"] = sch(s0, t0, 4.0)
            record(f"kd_{kind}.{tag}.{dim}", lambda s: kd(s, t0, sch(s, t0, 4.0)), [s0], student=[sn], teacher=[tn], temperature_scheduler=spec, base_temperature=4.0)
T["shifted.T2"], T["shifted.T3"] = probability_shift_(T2.clone(), labels), probability_shift_(T3.clone(), token_labels)

for m, tag in ((None, "nomask"), (mask, "mask")):
    mm = "mask" if m is not None else None
    for n in ("hidden_mse", "cos", "pkd"):
        record(f"{n}.{tag}", lambda s: MATCH_LOSS_MAP[n](s, hT, mask=m), [hS], student=["hS"], teacher=["hT"], mask=mm)
    for n in ("fsp", "nst"):
        f = MATCH_LOSS_MAP[n]
        record(f"{n}.self.{tag}", lambda s: f([s, s], [hT, hT], mask=m), [hS], student=["hS", "hS"], teacher=["hT", "hT"], mask=mm)
        record(f"{n}.pair.{tag}", lambda s, u: f([s, u], [hT, hT2], mask=m), [hS, hS2], student=["hS", "hS2"], teacher=["hT", "hT2"], mask=mm)
    record(f"nst.wide.{tag}", lambda s, u: MATCH_LOSS_MAP["nst"]([s, u], [wT, wT2], mask=m), [hS, hS2], student=["hS", "hS2"], teacher=["wT", "wT2"], mask=mm)
    for n in ("attention_mse", "attention_mse_sum", "attention_ce", "attention_ce_mean"):
        record(f"{n}.{tag}", lambda s: MATCH_LOSS_MAP[n](s, aT, mask=m), [aS], student=["aS"], teacher=["aT"], mask=mm)
        record(f"{n}.padded.{tag}", lambda s: MATCH_LOSS_MAP[n](s, aTp, mask=m), [aSp], student=["aS_padded"], teacher=["aT_padded"], mask=mm)
    for n in ("attention_mse_sum", "attention_ce_mean"):
        record(f"{n}.3d.{tag}", lambda s: MATCH_LOSS_MAP[n](s, aT[:, 0], mask=m), [aS[:, 0]], student=["aS[:,0]"], teacher=["aT[:,0]"], mask=mm)
record("pkd.2d", lambda s: MATCH_LOSS_MAP["pkd"](s, hT[:, 0]), [hS[:, 0]], student=["hS[:,0]"], teacher=["hT[:,0]"], mask=None)
J["weight_schedulers"] = {n: [WEIGHT_SCHEDULER[n](i / 4) for i in range(5)] for n in ("linear_decay", "linear_growth")}

wheel = os.environ.get("TEXTBREWER_WHEEL")
if wheel:  # the package divides the masked Gram matrices by the padded length
    spec = importlib.util.spec_from_file_location("textbrewer.losses_wheel", os.path.join(wheel, "losses.py"))
    mod = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(mod)
    record("nst_pypi.self.mask", lambda s: mod.mmd_loss([s, s], [hT, hT], mask=mask), [hS], student=["hS", "hS"], teacher=["hT", "hT"], mask="mask")
    record("nst_pypi.pair.mask", lambda s, u: mod.mmd_loss([s, u], [hT, hT2], mask=mask), [hS, hS2], student=["hS", "hS2"], teacher=["hT", "hT2"], mask="mask")
    record("nst_pypi.wide.mask", lambda s, u: mod.mmd_loss([s, u], [wT, wT2], mask=mask), [hS, hS2], student=["hS", "hS2"], teacher=["wT", "wT2"], mask="mask")
save_file({k: v.contiguous() for k, v in T.items()}, os.path.join(OUT, "textbrewer_losses.safetensors"))

# ---- one GeneralDistiller step on two BERT classifiers
T = {}


def bert(seed, layers, hidden, ffn):
    gg = torch.Generator().manual_seed(seed)
    cfg = BertConfig(vocab_size=120, hidden_size=hidden, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=ffn, max_position_embeddings=24,
                     num_labels=3, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="eager")
    m = BertForSequenceClassification(cfg)
    with torch.no_grad():
        for name, p in m.named_parameters():
            r = torch.randn(p.shape, generator=gg)
            p.copy_(1 + 0.1 * r if "LayerNorm.weight" in name else 0.1 * r if name.endswith("bias") else 0.5 * r if "embeddings" in name else r / hidden ** 0.5)
    return m


for name, args in (("teacher", (11, 4, 48, 96)), ("student", (12, 2, 24, 48))):
    path = os.path.join(OUT, f"distil-{name}")
    bert(*args).save_pretrained(path, safe_serialization=True)
    cfg = json.load(open(os.path.join(path, "config.json")))
    cfg.pop("_name_or_path", None)
    json.dump(cfg, open(os.path.join(path, "config.json"), "w"), indent=1, sort_keys=True)

gg = torch.Generator().manual_seed(13)
n, length = 4, 10
lens = torch.tensor([10, 7, 4, 9])
att = (torch.arange(length)[None] < lens[:, None]).long()
batch = dict(input_ids=torch.randint(3, 120, (n, length), generator=gg) * att, attention_mask=att, token_type_ids=(torch.arange(length)[None] >= 5).long() * att, labels=torch.randint(0, 3, (n,), generator=gg))
for k, v in batch.items():
    T["batch." + k] = v.to(torch.int32)


class Scores:
    """Pre-softmax attention scores, with -10000 on padding, the way the toolkit's own BERT returns them."""

    def __init__(self, model):
        self.layers = []
        for i, layer in enumerate(model.bert.encoder.layer):
            s = layer.attention.self
            s.query.register_forward_hook(lambda m, x, y, i=i: self.put(i, "q", y))
            s.key.register_forward_hook(lambda m, x, y, i=i: self.put(i, "k", y))
            self.layers.append({})

    def put(self, i, k, y):
        self.layers[i][k] = y

    def get(self, mask, heads=4):
        out = []
        for d in self.layers:
            q, k = (d[x].view(*d[x].shape[:2], heads, -1).transpose(1, 2) for x in "qk")
            out.append(q @ k.transpose(-1, -2) / q.size(-1) ** 0.5 + (1.0 - mask.to(q.dtype))[:, None, None, :] * -10000.0)
        return out


class Capture(torch.optim.SGD):
    def step(self, closure=None):
        self.captured = [[p.grad.clone() for p in grp["params"]] for grp in self.param_groups]
        return super().step(closure)


def hid(t, s, proj=True):
    return dict(layer_T=t, layer_S=s, feature="hidden", loss="hidden_mse", weight=1, **({"proj": ["linear", 24, 48]} if proj else {}))


nst = [dict(layer_T=[a, a], layer_S=[b, b], feature="hidden", loss="nst", weight=1) for a, b in ((0, 0), (2, 1), (4, 2))]
att_of = lambda loss, w=1: [dict(layer_T=t, layer_S=s, feature="attention", loss=loss, weight=w) for t, s in ((1, 0), (3, 1))]
hidden = [hid(0, 0), hid(2, 1), hid(4, 2)]
STEPS = {
    # attention lists = softmax probabilities (what transformers returns)
    "probs_mask": dict(scores=False, use_mask=True, kw=dict(temperature=8, intermediate_matches=hidden + nst + att_of("attention_mse") + att_of("attention_ce_mean", 0.5))),
    "probs_nomask": dict(scores=False, use_mask=False, kw=dict(temperature=8, intermediate_matches=hidden + nst + att_of("attention_mse") + att_of("attention_ce_mean", 0.5))),
    # attention lists = pre-softmax scores; also a hard-label term and a temperature scheduler
    "scores_mask": dict(scores=True, use_mask=True, kw=dict(temperature=8, temperature_scheduler=["flsw", 1, 1], hard_label_weight=0.5, intermediate_matches=hidden + nst + att_of("attention_mse") + att_of("attention_ce"))),
}
J["steps"] = {}
for name, st in STEPS.items():
    teacher, student = (BertForSequenceClassification.from_pretrained(os.path.join(OUT, "distil-" + x), attn_implementation="eager").to(D) for x in ("teacher", "student"))
    sc = {id(m): Scores(m) for m in (teacher, student)}

    def adaptor(model):
        def f(b, o):
            r = dict(logits=o.logits, hidden=list(o.hidden_states), losses=o.loss, attention=sc[id(model)].get(b["attention_mask"]) if st["scores"] else list(o.attentions))
            if st["use_mask"]:
                r["inputs_mask"] = b["attention_mask"]
            return r
        return f

    logged = {}

    class Recorder(GeneralDistiller):
        def write_loss(self, total, step, parts=None):
            logged["total_loss"] = float(total.detach())
            logged.update({k: float(v.detach()) for k, v in parts.items()})
            super().write_loss(total, step, parts)

    with tempfile.TemporaryDirectory() as tmp:
        torch.manual_seed(99)
        kw = json.loads(json.dumps(st["kw"]))
        dist = Recorder(TrainingConfig(device="cpu", output_dir=tmp), DistillationConfig(**kw), teacher, student, adaptor(teacher), adaptor(student))
        gp = torch.Generator().manual_seed(17)
        for p in dist.projs:  # the toolkit draws N(0, 0.02); larger values with a bias make a sharper test
            if p is not None:
                p.to(D)
                p.weight.data = 0.2 * torch.randn(p.weight.shape, generator=gp, dtype=D)
                p.bias.data = 0.1 * torch.randn(p.bias.shape, generator=gp, dtype=D)
        start = {k: v.clone() for k, v in student.named_parameters()}
        opt = Capture(student.parameters(), lr=0.01)
        with dist:
            dist.train(opt, [batch], num_epochs=1, output_hidden_states=True, output_attentions=True)
    names = [k for k, _ in student.named_parameters()]
    for k, gr in zip(names, opt.captured[0]):
        T[f"{name}.grad.{k}"] = gr
    for i, grp in enumerate(opt.captured[1:]):
        T[f"{name}.grad.projection{i}.weight"], T[f"{name}.grad.projection{i}.bias"] = grp
    if name == "probs_mask":
        for i, p in enumerate(x for x in dist.projs if x is not None):
            # SGD has already moved them: undo the step
            T[f"projection{i}.weight"] = p.weight.detach() + 0.01 * opt.captured[1 + i][0]
            T[f"projection{i}.bias"] = p.bias.detach() + 0.01 * opt.captured[1 + i][1]
        with torch.no_grad():
            fresh = BertForSequenceClassification.from_pretrained(os.path.join(OUT, "distil-student"), attn_implementation="eager").to(D).eval()
            for m, tag in ((teacher.eval(), "teacher"), (fresh, "student")):
                o = m(**batch, output_hidden_states=True, output_attentions=True)
                T[tag + ".logits"] = o.logits
                for i, h in enumerate(o.hidden_states):
                    T[f"{tag}.hidden{i}"] = h
    for k, v in student.named_parameters():
        assert torch.allclose(v, start[k] - 0.01 * T[f"{name}.grad.{k}"], atol=1e-14)
    J["steps"][name] = dict(attention="scores" if st["scores"] else "probabilities", inputs_mask=st["use_mask"], config=st["kw"], logged=logged)
save_file({k: v.detach().contiguous() for k, v in T.items()}, os.path.join(OUT, "textbrewer_step.safetensors"))
json.dump(J, open(os.path.join(OUT, "textbrewer.json"), "w"), indent=1)
for k, v in J["steps"].items():
    print(k, json.dumps(v["logged"]))
print(len(J["losses"]), "losses")
