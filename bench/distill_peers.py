"""Times a step of distillation side by side with TextBrewer on PyTorch, in one interleaved run.

    python bench/distill_peers.py [--program build/bench/distill] [--rounds 7] [--threads 2] [--only full,ragged]

A BERT-base teacher teaches T3 (three of its layers' size): KD at temperature 8, L3_hidden_mse, L3_hidden_smmd, dropout in the
student, clipping to 1, AdamW, all in f32. Weights and tokens are random, as time does not depend on them. Two inputs: 8 texts of 128 tokens;
and 32 texts of real lengths in batches of 8, packed in inkstone, padded to the longest of the batch in PyTorch. Every round
runs each engine once; ratios are medians of the rounds' ratios. inkstone is also timed with the teacher's outputs on disk
(compress/teacher_cache.h), which TextBrewer has for logits alone.

Needs a virtual environment with torch, transformers 4.x and textbrewer.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build/bench/distill")
parser.add_argument("--rounds", type=int, default=7)
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--only", default="full,ragged")
parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
args = parser.parse_args()
BATCH = 8
INPUTS = {
    "full": [128] * BATCH,
    # lengths of 32 real sentences: 1,254 tokens
    "ragged": [9, 17, 23, 31, 12, 64, 45, 128, 28, 19, 37, 52, 11, 14, 76, 90,
               21, 33, 26, 41, 16, 58, 110, 22, 13, 29, 35, 47, 18, 24, 66, 39],
}


def serve_textbrewer():
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import textbrewer
    import torch
    from transformers import BertConfig, BertForSequenceClassification
    torch.set_num_threads(args.threads)
    sizes = dict(vocab_size=21128, num_labels=3, output_hidden_states=True)
    teacher = BertForSequenceClassification(BertConfig(**sizes))
    student = BertForSequenceClassification(BertConfig(num_hidden_layers=3, **sizes))
    pairs = [(0, 0), (4, 1), (8, 2), (12, 3)]
    matches = [dict(layer_T=t, layer_S=s, feature="hidden", loss="hidden_mse", weight=1) for t, s in pairs]
    matches += [dict(layer_T=[t, t], layer_S=[s, s], feature="hidden", loss="nst", weight=1) for t, s in pairs]

    def adaptor(batch, outputs):
        return dict(logits=outputs.logits, hidden=outputs.hidden_states, inputs_mask=batch["attention_mask"])

    folder = tempfile.mkdtemp()
    distiller = textbrewer.GeneralDistiller(
        train_config=textbrewer.TrainingConfig(device="cpu", output_dir=folder, log_dir=None),
        distill_config=textbrewer.DistillationConfig(temperature=8, intermediate_matches=matches),
        model_T=teacher, model_S=student, adaptor_T=adaptor, adaptor_S=adaptor)
    student.train()
    teacher.eval()
    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-5, weight_decay=0.01)
    batches = {}

    def padded(lengths):
        ids = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, n in enumerate(lengths):
            ids[row, :n] = torch.randint(1, 21000, (n,))
            mask[row, :n] = 1
        return dict(input_ids=ids, attention_mask=mask)

    for line in sys.stdin:
        lengths = tuple(map(int, line.split()[1:]))
        if lengths not in batches:
            batches[lengths] = [padded(lengths[i:i + BATCH]) for i in range(0, len(lengths), BATCH)]
        start = time.perf_counter()
        for batch in batches[lengths]:
            loss, _ = distiller.train_on_batch(batch, {})
            loss.backward()
            torch.nn.utils.clip_grad_norm_(student.parameters(), 1)
            optimizer.step()
            optimizer.zero_grad()
        print("answer", 1e3 * (time.perf_counter() - start), flush=True)


class Served:
    def __init__(self, command):
        self.process = subprocess.Popen(command + ["--serve", "--threads", str(args.threads)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def ask(self, kind, lengths):
        self.process.stdin.write(kind + " " + " ".join(map(str, lengths)) + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            words = line.split()
            if len(words) == 1 or words[0] == "answer":
                return float(words[-1])
        sys.exit("an engine ended without an answer")


def main():
    inkstone, textbrewer = Served([args.program]), Served([sys.executable, __file__])
    engines = {
        "TextBrewer": lambda lengths: textbrewer.ask("live", lengths),
        "inkstone": lambda lengths: inkstone.ask("live", lengths),
        "inkstone, teacher on disk": lambda lengths: inkstone.ask("cached", lengths),
    }
    for shape in args.only.split(","):
        lengths = INPUTS[shape]
        times = {name: [] for name in engines}
        for r in range(-1, args.rounds):  # the first does not count
            for name, ask in engines.items():
                ms = ask(lengths) * BATCH / len(lengths)
                if r >= 0:
                    times[name].append(ms)
        print(f"{shape}: {len(lengths)} texts, {sum(lengths)} tokens, milliseconds a step of {BATCH} texts")
        for name, ms in times.items():
            ratios = [theirs / ours for theirs, ours in zip(times["TextBrewer"], ms)]
            print(f"  {name:26} {statistics.median(ms):8.0f} ms   {statistics.median(ratios):5.2f} x"
                  f" (from {min(ratios):.2f} to {max(ratios):.2f})", flush=True)


serve_textbrewer() if args.serve else main()
