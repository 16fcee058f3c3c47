"""Times BERT-base on a CUDA device side by side with PyTorch (eager and compiled), all in one interleaved run.

    python bench/cuda_peers.py [--program build-cuda/bench/encode] [--rounds 20] [--no-compile] [--what infer,train,…]

Needs torch and transformers. Weights are random, as time does not depend on them. PyTorch runs with its scaled dot-product
attention in the same type. In training inkstone keeps f32 masters of 16-bit weights, so PyTorch trains f32 weights under
autocast; --pure-16-bit gives it 16-bit weights and moments alone, which is less work and less exact. Every round runs each engine once on each shape, and waits for the device; times are medians
of rounds, and the ratio is that of the faster of eager and compiled PyTorch to inkstone.
"""
import argparse
import statistics
import subprocess
import sys
import time

import torch
from transformers import BertConfig, BertForMaskedLM, BertModel

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build-cuda/bench/encode")
parser.add_argument("--rounds", type=int, default=20)
parser.add_argument("--dtype", default="bf16", choices=["bf16", "f16", "f32"])
parser.add_argument("--tf32", action="store_true", help="products of f32 cut their factors, on both sides")
parser.add_argument("--pure-16-bit", action="store_true", help="PyTorch trains without f32 masters")
parser.add_argument("--no-compile", action="store_true", help="leave compiled PyTorch out: compiling takes minutes")
parser.add_argument("--tune", action="store_true", help="inkstone chooses the algorithms of products by timing them")
parser.add_argument("--compile-mode", default="default", help="of the encoder; reduce-overhead: CUDA graphs")
parser.add_argument("--what", default="infer,train,memory,attention")
parser.add_argument("--shapes", default="1x128,32x128,32x512,ragged")
parser.add_argument("--train-shapes", default="32x128,16x512,ragged")
args = parser.parse_args()

torch.backends.cuda.matmul.allow_tf32 = args.tf32
FLAGS = ["--device", "cuda", "--dtype", args.dtype] + ["--tf32"] * args.tf32 + ["--tune"] * args.tune
VOCABULARY = 21128
TYPES = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32}
DTYPE = TYPES[args.dtype]
# Lengths of 32 real sentences: 1,254 tokens in all, 4,096 when padded.
RAGGED = [9, 17, 23, 31, 12, 64, 45, 128, 28, 19, 37, 52, 11, 14, 76, 90,
          21, 33, 26, 41, 16, 58, 110, 22, 13, 29, 35, 47, 18, 24, 66, 39]


def lengths_of(shape):
    if shape == "ragged":
        return RAGGED
    batch, length = map(int, shape.split("x"))
    return [length] * batch


def tera_operations(lengths):
    """Of the encoder's products on real tokens, forward."""
    per_token = 2 * (4 * 768 * 768 + 2 * 768 * 3072)
    return sum(12 * (n * per_token + 4 * n * n * 768) for n in lengths) / 1e12


def timed(f):
    torch.cuda.synchronize()
    start = time.perf_counter()
    f()
    torch.cuda.synchronize()
    return 1e3 * (time.perf_counter() - start)


class Inkstone:
    """The bench program keeps a model and answers one line of milliseconds for each line of lengths."""
    name = "inkstone"

    def __init__(self):
        self.process = subprocess.Popen([args.program, "--serve"] + FLAGS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, verb, lengths):
        self.process.stdin.write(verb + " " + " ".join(map(str, lengths)) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("inkstone's program ended")
        return float(answer)

    def infer(self, lengths):
        return self.ask("infer", lengths)

    def train(self, lengths):
        return self.ask("train", lengths)


class Torch:
    name = "PyTorch"

    def __init__(self):
        config = BertConfig(vocab_size=VOCABULARY)
        self.encoder = BertModel(config).to(DTYPE).cuda().eval()
        self.trained = BertForMaskedLM(config).to(DTYPE if args.pure_16_bit else torch.float32).cuda().train()
        self.optimizer = torch.optim.AdamW(self.trained.parameters(), lr=1e-5, fused=True)
        self.batches = {}

    def batch(self, lengths):
        key = tuple(lengths)
        if key not in self.batches:
            ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, n in enumerate(lengths):
                ids[row, :n] = torch.randint(1, VOCABULARY, (n,))
                mask[row, :n] = 1
            full = bool(mask.all())
            labels = torch.where((torch.rand(ids.shape) < 0.15) & (mask == 1), ids, -100)
            self.batches[key] = (ids.cuda(), None if full else mask.cuda(), labels.cuda())
        return self.batches[key]

    def run_encoder(self, lengths):
        ids, mask, _ = self.batch(lengths)
        with torch.inference_mode():
            return self.encoder(ids, attention_mask=mask)

    def infer(self, lengths):
        self.batch(lengths)
        return timed(lambda: self.run_encoder(lengths))

    def step(self, lengths):
        ids, mask, labels = self.batch(lengths)
        with torch.autocast("cuda", DTYPE, enabled=DTYPE != torch.float32 and not args.pure_16_bit):
            loss = self.trained(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def train(self, lengths):
        self.batch(lengths)
        return timed(lambda: self.step(lengths))


class Compiled(Torch):
    name = "compiled"

    def __init__(self):
        super().__init__()
        torch._dynamo.config.recompile_limit = 64
        self.encoder = torch.compile(self.encoder, dynamic=False, mode=args.compile_mode)
        self.trained = torch.compile(self.trained, dynamic=False)


def compare(what, shapes, engines, factor):
    print(f"\n{what}, BERT-base {args.dtype}, {torch.cuda.get_device_name()}: median ms of {args.rounds} rounds")
    print(f"{'shape':>8s}" + "".join(f"{e.name:>12s}" for e in engines) + f"{'ratio':>8s}{'TFLOP/s':>9s}", flush=True)
    for shape in shapes:
        lengths = lengths_of(shape)
        times = {e.name: [] for e in engines}
        for e in engines:
            for _ in range(4):
                getattr(e, what)(lengths)  # warm-up
        for _ in range(args.rounds):
            for e in engines:
                times[e.name].append(getattr(e, what)(lengths))
        medians = {name: statistics.median(t) for name, t in times.items()}
        own = medians.pop("inkstone")
        print(f"{shape:>8s}{own:12.3f}" + "".join(f"{m:12.3f}" for m in medians.values()) +
              f"{min(medians.values()) / own:8.2f}{factor * tera_operations(lengths) / own * 1e3:9.1f}", flush=True)


def compare_memory():
    """Peak of the allocators in training steps of 32 × 128 tokens."""
    command = [args.program, "--peak-memory"] + FLAGS
    own = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    engine = Torch()
    torch.cuda.reset_peak_memory_stats()
    for _ in range(3):
        engine.train(lengths_of("32x128"))
    theirs = (torch.cuda.max_memory_allocated() - before) / 2**20
    print(f"\npeak memory of training, 32x128, MiB: inkstone {own:.0f}, PyTorch {theirs:.0f}, ratio {own / theirs:.2f}")


def attention_rate(batch, length, size, backward):
    """TFLOP/s of PyTorch's flash attention, 12 heads."""
    shape = (batch, 12, length, size)
    q, k, v = (torch.randn(shape, dtype=DTYPE, device="cuda", requires_grad=True) for _ in range(3))
    dy = torch.randn(shape, dtype=DTYPE, device="cuda")

    def run():
        y = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        if backward:
            y.backward(dy)

    for _ in range(5):
        run()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    times = []
    for _ in range(20):
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    operations = 4 * length * length * size * 12 * batch * (3.5 if backward else 1)
    return operations / statistics.median(times) / 1e9


def compare_attention():
    from torch.nn.attention import SDPBackend, sdpa_kernel
    print("\nPyTorch's attention, 12 heads of 64, TFLOP/s: forward, forward + backward")
    for backend in (SDPBackend.FLASH_ATTENTION, SDPBackend.CUDNN_ATTENTION):
        for batch, length in ((32, 128), (32, 512), (8, 4096)):
            try:
                with sdpa_kernel(backend):
                    rates = [attention_rate(batch, length, 64, backward) for backward in (False, True)]
                print(f"{backend.name:>18s} {batch:3d} x {length:<5d}{rates[0]:8.1f}{rates[1]:8.1f}", flush=True)
            except RuntimeError as error:
                print(f"{backend.name}: {error!r:.100}")


def main():
    torch.manual_seed(1)
    wanted = args.what.split(",")
    if "attention" in wanted and args.dtype != "f32":
        compare_attention()
    engines = [Inkstone(), Torch()] + ([] if args.no_compile else [Compiled()])
    if "infer" in wanted:
        compare("infer", args.shapes.split(","), engines, 1)
    if "train" in wanted:
        compare("train", args.train_shapes.split(","), engines, 3)
    if "memory" in wanted:
        del engines
        compare_memory()


main()
