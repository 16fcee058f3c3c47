"""Times importance of heads and neurons of BERT-base side by side with TextPruner, in one interleaved run.

    python bench/prune_peers.py [--program build/bench/importance] [--rounds 3] [--batch 32] [--threads 2]

Needs a virtual environment with torch, textpruner and transformers 4.x. Weights and sentences (64 of 128 tokens) are random,
as time does not depend on them. Every round runs both once; the ratio is the median of the rounds' ratios. Memory is what
each process has held at most, its libraries included.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build/bench/importance")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
args = parser.parse_args()
SENTENCES, TOKENS = 64, 128


def peak_megabytes():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


def serve_textpruner():
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch
    from textpruner import GeneralConfig, TransformerPruner, TransformerPruningConfig
    from transformers import BertConfig, BertForSequenceClassification
    torch.set_num_threads(args.threads)
    model = BertForSequenceClassification(BertConfig(vocab_size=21128, num_labels=2)).eval()
    config = TransformerPruningConfig(target_ffn_size=1536, target_num_of_heads=6, pruning_method="iterative")
    general = GeneralConfig(use_device="cpu", output_dir=tempfile.mkdtemp())
    pruner = TransformerPruner(model, config, general)
    batches = []
    for first in range(0, SENTENCES, args.batch):
        n = min(args.batch, SENTENCES - first)
        batches.append(dict(input_ids=torch.randint(1, 21000, (n, TOKENS)),
                            attention_mask=torch.ones(n, TOKENS, dtype=torch.long),
                            labels=torch.randint(0, 2, (n,))))
    for _ in sys.stdin:
        start = time.perf_counter()
        pruner.get_importance_score(dataloader=batches, adaptor=None, batch_postprocessor=None)
        print("answer", 1e3 * (time.perf_counter() - start), peak_megabytes(), flush=True)


class Served:
    def __init__(self, name, command):
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.times, self.memory = [], 0

    def ask(self):
        self.process.stdin.write("measure\n")
        self.process.stdin.flush()
        while True:
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"{self.name} ended without an answer")
            words = line.split()
            if self.name == "inkstone" or words[:1] == ["answer"]:
                break
        time_ms, self.memory = map(float, words[-2:])
        return time_ms


def main():
    options = ["--threads", str(args.threads), "--batch", str(args.batch)]
    both = [Served("inkstone", [args.program, "--serve"] + options),
            Served("TextPruner", [sys.executable, __file__, "--serve"] + options)]
    for engine in both:
        engine.ask()  # a pass that does not count
    for r in range(args.rounds):
        for engine in both:
            engine.times.append(engine.ask())
        print(f"round {r + 1}: " + ", ".join(f"{e.name} {e.times[-1]:.0f} ms" for e in both), flush=True)
    ratios = [theirs / ours for ours, theirs in zip(both[0].times, both[1].times)]
    for e in both:
        print(f"{e.name:12} {statistics.median(e.times):8.0f} ms  {e.memory:6.0f} MB")
    print(f"ratio {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f}); "
          f"memory {both[1].memory / both[0].memory:.2f}")


serve_textpruner() if args.serve else main()
