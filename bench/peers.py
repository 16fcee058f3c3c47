"""Times BERT-base side by side with PyTorch, ONNX Runtime and CTranslate2, all in one interleaved run.

    python bench/peers.py [--program build/bench/encode] [--rounds 5] [--only torch,ort,ct2] [--what infer,train,memory]
    python bench/peers.py --int8           # encoding in 8-bit integers, beside ours in f32

With --int8 ONNX Runtime's model is quantised dynamically and CTranslate2 computes in int8; PyTorch is left out.

Needs a virtual environment with torch, transformers, onnxruntime, onnx, onnxscript and ctranslate2 (any of the peers may
be missing: it is then left out, and said so). Weights are random, as time does not depend on them. Every round runs each
engine once on each shape, so that a change of the machine's speed meets all alike; ratios are medians of rounds.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build/bench/encode")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--only", default="torch,ort,ct2")
parser.add_argument("--what", default="infer,train,memory")
parser.add_argument("--int8", action="store_true")
parser.add_argument("--shapes", default="1x16,1x128,8x128,1x512,ragged")
parser.add_argument("--train-shapes", default="8x128")
parser.add_argument("--cache", default=os.path.join(tempfile.gettempdir(), "inkstone-peers"))
parser.add_argument("--memory-of", choices=["torch"], help=argparse.SUPPRESS)
args = parser.parse_args()

os.environ["OMP_NUM_THREADS"] = str(args.threads)
HIDDEN, INNER, LAYERS, VOCABULARY = 768, 3072, 12, 21128
# Lengths of 32 real sentences: 1,254 tokens in all, 4,096 when padded.
RAGGED = [9, 17, 23, 31, 12, 64, 45, 128, 28, 19, 37, 52, 11, 14, 76, 90,
          21, 33, 26, 41, 16, 58, 110, 22, 13, 29, 35, 47, 18, 24, 66, 39]


def lengths_of(shape):
    if shape == "ragged":
        return RAGGED
    batch, length = map(int, shape.split("x"))
    return [length] * batch


def matrix_gflop(lengths):
    """Multiply-adds of the encoder's products on real tokens, counted as two operations."""
    per_token = 2 * (4 * HIDDEN * HIDDEN + 2 * HIDDEN * INNER)
    return sum(LAYERS * (n * per_token + 4 * n * n * HIDDEN) for n in lengths) / 1e9


class Inkstone:
    """build/bench/encode keeps a model and answers one line of milliseconds for each line of lengths."""
    name = "inkstone"

    def __init__(self, dtype="f32"):
        self.process = subprocess.Popen([args.program, "--serve", "--threads", str(args.threads), "--dtype", dtype],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, verb, lengths):
        self.process.stdin.write(verb + " " + " ".join(map(str, lengths)) + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def infer(self, lengths):
        return self.ask("infer", lengths)

    def train(self, lengths):
        return self.ask("train", lengths)


def padded_batch(torch, lengths):
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, n in enumerate(lengths):
        ids[row, :n] = torch.randint(1, VOCABULARY, (n,))
        mask[row, :n] = 1
    return ids, mask


def timed(f):
    start = time.perf_counter()
    f()
    return 1e3 * (time.perf_counter() - start)


class InkstoneInt8(Inkstone):
    name = "inkstone int8"

    def __init__(self):
        super().__init__("int8")


class Torch:
    name = "PyTorch"

    def __init__(self):
        import torch
        from transformers import BertConfig, BertForMaskedLM, BertModel
        torch.set_num_threads(args.threads)
        self.torch = torch
        config = BertConfig(vocab_size=VOCABULARY)
        self.make_encoder = lambda: BertModel(config).eval()
        self.make_trained = lambda: BertForMaskedLM(config).train()
        self.encoder = self.trained = None

    def infer(self, lengths):
        if self.encoder is None:
            self.encoder = self.make_encoder()
        ids, mask = padded_batch(self.torch, lengths)
        with self.torch.inference_mode():
            return timed(lambda: self.encoder(ids, attention_mask=mask))

    def prepare_training(self):
        self.trained = self.make_trained()
        self.optimizer = self.torch.optim.AdamW(self.trained.parameters(), lr=1e-5, fused=True)

    def train(self, lengths):
        torch = self.torch
        if self.trained is None:
            self.prepare_training()
        ids, mask = padded_batch(torch, lengths)
        labels = torch.where((torch.rand(ids.shape) < 0.15) & (mask == 1), ids, -100)

        def step():
            loss = self.trained(input_ids=ids, attention_mask=mask, labels=labels).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return timed(step)


class OnnxRuntime:
    name = "ONNX Runtime"

    def __init__(self):
        import onnxruntime
        import torch
        path = os.path.join(args.cache, "optimized.onnx")
        if not os.path.exists(path):
            self.export(torch, path)
        if args.int8:
            path = self.quantized(path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.torch = torch

    @staticmethod
    def export(torch, path):
        from onnxruntime.transformers import optimizer
        from transformers import BertConfig, BertModel
        config = BertConfig(vocab_size=VOCABULARY)
        config._attn_implementation = "eager"

        class Flat(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.model = BertModel(config).eval()

            def forward(self, input_ids, attention_mask, token_type_ids):
                out = self.model(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
                return out[0], out[1]

        os.makedirs(args.cache, exist_ok=True)
        plain = os.path.join(args.cache, "plain.onnx")
        example = torch.randint(1, 1000, (2, 16))
        names = ["input_ids", "attention_mask", "token_type_ids"]
        torch.onnx.export(Flat(), (example, torch.ones_like(example), torch.zeros_like(example)), plain,
                          input_names=names, output_names=["last", "pooled"], opset_version=17, dynamo=False,
                          dynamic_axes={n: {0: "batch", 1: "length"} for n in names + ["last"]})
        model = optimizer.optimize_model(plain, model_type="bert", num_heads=12, hidden_size=HIDDEN, opt_level=1)
        model.save_model_to_file(path)

    @staticmethod
    def quantized(path):
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
        result = os.path.join(args.cache, "int8.onnx")
        if not os.path.exists(result):
            quantize_dynamic(path, result, weight_type=QuantType.QInt8,
                             extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT})
        return result

    def infer(self, lengths):
        ids, mask = padded_batch(self.torch, lengths)
        feed = {"input_ids": ids.numpy(), "attention_mask": mask.numpy(),
                "token_type_ids": self.torch.zeros_like(ids).numpy()}
        return timed(lambda: self.session.run(None, feed))


class CTranslate2:
    name = "CTranslate2"

    def __init__(self):
        import ctranslate2
        import torch
        from transformers import BertConfig, BertModel
        folder = os.path.join(args.cache, "ct2")
        if not os.path.exists(folder):
            plain = os.path.join(args.cache, "bert")
            BertConfig.position_embedding_type = "absolute"  # transformers 5 dropped it; the converter asks for it
            BertModel(BertConfig(vocab_size=VOCABULARY)).save_pretrained(plain)
            ctranslate2.converters.TransformersConverter(plain).convert(folder)
        self.encoder = ctranslate2.Encoder(folder, device="cpu", intra_threads=args.threads,
                                           compute_type="int8" if args.int8 else "default")
        self.torch = torch

    def infer(self, lengths):
        batch = [self.torch.randint(1, VOCABULARY, (n,)).tolist() for n in lengths]
        return timed(lambda: self.encoder.forward_batch(batch))


def engines():
    found = [InkstoneInt8(), Inkstone()] if args.int8 else [Inkstone()]
    for key, cls in (("torch", Torch), ("ort", OnnxRuntime), ("ct2", CTranslate2)):
        if key not in args.only.split(",") or (args.int8 and key == "torch"):
            continue
        try:
            found.append(cls())
        except Exception as error:  # a peer that is not installed or cannot convert
            print(f"{cls.name} left out: {error!r:.200}", file=sys.stderr)
    return found


def compare(what, shapes, factor):
    rows = [e for e in engines() if hasattr(e, what)]
    dtype = "int8" if args.int8 else "f32"
    print(f"\n{what}, BERT-base {dtype}, {args.threads} threads: median ms of {args.rounds} interleaved rounds "
          f"(ratio to {rows[0].name}; of fastest rounds)")
    print(f"{'shape':>8s}" + "".join(f"{e.name:>28s}" for e in rows) + f"{'GFLOP/s':>10s}")
    for shape in shapes:
        lengths = lengths_of(shape)
        times = {e.name: [] for e in rows}
        for e in rows:
            getattr(e, what)(lengths)  # warm-up
        for _ in range(args.rounds):
            for e in rows:
                time.sleep(0.15)  # lets the threads of the engine before go to sleep
                times[e.name].append(getattr(e, what)(lengths))
        own = times[rows[0].name]
        cells = "".join(
            f"{statistics.median(t):12.1f} ({statistics.median(t) / statistics.median(own):5.2f} x; {min(t) / min(own):4.2f})"
            for t in times.values())
        print(f"{shape:>8s} {cells}{factor * matrix_gflop(lengths) / statistics.median(own) * 1e3:10.1f}", flush=True)


def status_megabytes(key):
    """A line of /proc/self/status. (getrusage would count what the parent held before this process was started.)"""
    with open("/proc/self/status") as status:
        return next(float(line.split()[1]) / 1024 for line in status if line.startswith(key + ":"))


def print_memory_of_torch():
    engine = Torch()
    engine.prepare_training()
    built = status_megabytes("VmRSS")
    for _ in range(3):
        engine.train(lengths_of("8x128"))
    print(f"{built:.0f} {status_megabytes('VmHWM'):.0f}")


def compare_memory():
    threads = ["--threads", str(args.threads)]
    commands = {"inkstone": [args.program, "--peak-memory"] + threads,
                "PyTorch": [sys.executable, __file__, "--memory-of", "torch"] + threads}
    print("\nmemory, BERT-base MLM training steps 8x128, resident MB of the process: with the model built, at most")
    peaks = {}
    for name, command in commands.items():
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        built, peaks[name] = map(float, output.split()[-2:])
        print(f"{name:>10s} {built:8.0f} {peaks[name]:8.0f}")
    print(f"     ratio {'':8s} {peaks['PyTorch'] / peaks['inkstone']:8.2f}")


if args.memory_of:
    print_memory_of_torch()
    sys.exit()
wanted = ["infer"] if args.int8 else args.what.split(",")
if "infer" in wanted:
    compare("infer", args.shapes.split(","), 1)
if "train" in wanted:
    compare("train", args.train_shapes.split(","), 3)
if "memory" in wanted:
    compare_memory()
