"""Draws what pruning costs: a fine-tuned model's score over its size, for many ways of choosing what goes.

    python tools/pruning_curves.py --model FOLDER --data TRAIN --test TEST --out FOLDER [--program build/inkstone] [--threads 1]
        [--shares 0.75,0.5,0.25] [--examples 600] [--seed 1] [--draw]

Keeps each of --shares of the heads and of the FFN neurons, chosen on --examples of TRAIN, and measures accuracy on TEST:

    steps     1, 4, 8 and 16 of them, even and uneven, by labels
    labels    without labels (use_logits), 8 steps, even and uneven
    data      30 %, 70 % and 100 % of the examples, 8 steps, even
    recovery  4 steps with an epoch over TRAIN after each, even, by labels or as a student of the whole model

Every measurement is kept in FOLDER/results.json and not made again; a table is printed, FOLDER/curves.svg drawn. --draw only
draws, what there is.
"""
import argparse
import json
import pathlib
import shutil
import subprocess

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--program", default="build/inkstone")
parser.add_argument("--model", type=pathlib.Path, required=True)
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--test", type=pathlib.Path)
parser.add_argument("--out", type=pathlib.Path, required=True)
parser.add_argument("--threads", default="1")
parser.add_argument("--shares", default="0.75,0.5,0.25")
parser.add_argument("--examples", type=int, default=600)
parser.add_argument("--seed", default="1")
parser.add_argument("--draw", action="store_true")
args = parser.parse_args()
if not args.draw and not (args.data and args.test):
    parser.error("expected --data and --test, or --draw")

SHARES = [float(s) for s in args.shares.split(",")]


def variants():
    """(panel, name, even, steps, share of the examples, keys of the configuration)"""
    for even in (True, False):
        kind = "even" if even else "uneven"
        for steps in (1, 4, 8, 16):
            yield "steps", f"{kind}, {steps} step" + "s" * (steps > 1), even, steps, 1, {}
        yield "labels", f"{kind}, labels", even, 8, 1, {}
        yield "labels", f"{kind}, no labels", even, 8, 1, {"use_logits": True}
    for percent in (30, 70, 100):
        yield "data", f"{percent} %", True, 8, percent / 100, {}
    yield "recovery", "none", True, 4, 1, {}
    yield "recovery", "by labels", True, 4, 1, {"recovery": {"epochs": 1}}
    yield "recovery", "as a student", True, 4, 1, {"recovery": {"epochs": 1, "distil": True, "temperature": 2}}


def run(*arguments):
    command = [args.program, *map(str, arguments), "--threads", args.threads, "--seed", args.seed, "--json"]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(output.splitlines()[-1])


def measure(folder):
    return run("evaluate", "--model", folder, "--data", args.test)["accuracy"]


def prune(config, share, even, steps, data_share, keys):
    job = {"pruning_method": "iterative", "n_iters": steps, "head_even_masking": even, "ffn_even_masking": even,
           "target_num_of_heads": round(config["num_attention_heads"] * share),
           "target_ffn_size": round(config["intermediate_size"] * share), **keys}
    file, pruned = args.out / "prune.json", args.out / "pruned"
    file.write_text(json.dumps(job))
    shutil.rmtree(pruned, ignore_errors=True)
    run("prune", "--model", args.model, "--configurations", file, "--data", args.data, "--out", pruned,
        "--max-examples", max(1, round(args.examples * data_share)))
    after = json.loads((pruned / "pruning.json").read_text())["after"]["parameters"]
    return {"accuracy": measure(pruned), "parameters": after}


def measure_all(results, file):
    config = json.loads((args.model / "config.json").read_text())
    jobs = [(key_of(panel, name, share), share, rest) for panel, name, *rest in variants() for share in SHARES]
    if "whole" not in results:
        results["whole"] = {"accuracy": measure(args.model)}
    same = {}  # a variant that stands in several panels is measured once
    for name, share, rest in jobs:
        key = json.dumps([share, rest], sort_keys=True)
        if name not in results:
            results[name] = results[same[key]] if key in same else prune(config, share, *rest)
            file.write_text(json.dumps(results, indent=1, ensure_ascii=False))
            print(f"{name}: {100 * results[name]['accuracy']:.2f} %", flush=True)
        same.setdefault(key, name)


def key_of(panel, name, share):
    return f"{panel}: {name}, {share}"


def measured_lines(results):
    """(panel, name, accuracy in per cent at each share), of the variants that have been measured at all shares"""
    for panel, name, *_ in variants():
        keys = [key_of(panel, name, share) for share in SHARES]
        if all(key in results for key in keys):
            yield panel, name, [100 * results[key]["accuracy"] for key in keys]


def table(results):
    print(f"\n| whole model: {100 * results['whole']['accuracy']:.1f} % | " + " | ".join(f"{100 * s:g} %" for s in SHARES) + " |")
    print("|---|" + "---|" * len(SHARES))
    for panel, name, scores in measured_lines(results):
        print(f"| {panel}: {name} | " + " | ".join(f"{score:.1f}" for score in scores) + " |")


COLOURS = ["#b5453c", "#3c6fb5", "#3c8f57", "#a0762a", "#7a4fa3", "#4a4a4a", "#d08a80", "#8ab0dc"]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 400, 300, 46, 30, 128, 40


def panel_svg(results, panel, x0, y0, low):
    lines = [(name, scores) for p, name, scores in measured_lines(results) if p == panel]
    whole = 100 * results["whole"]["accuracy"]
    high = max([whole] + [v for _, values in lines for v in values]) + 1
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def point(share, value):
        left = min(SHARES) - 0.05
        return (f"{x0 + LEFT + across * (share - left) / (1.02 - left):.1f}",
                f"{y0 + TOP + down * (high - value) / (high - low):.1f}")

    parts = [f'<text x="{x0 + LEFT}" y="{y0 + 18}" class="t">{panel}</text>']
    for tick in range(int(low // 5 + 1) * 5, int(high) + 1, 5):
        (x1, y), (x2, _) = point(min(SHARES) - 0.05, tick), point(1.02, tick)
        parts += [f'<path d="M{x1},{y}H{x2}" class="g"/>', f'<text x="{float(x1) - 6}" y="{float(y) + 4}" text-anchor="end">{tick}</text>']
    for share in SHARES + [1]:
        parts.append(f'<text x="{point(share, low)[0]}" y="{y0 + HEIGHT - BOTTOM + 16}" text-anchor="middle">{100 * share:g} %</text>')
    labels = sorted(((values[-1], name, i) for i, (name, values) in enumerate(lines)), reverse=True)
    for rank, (_, name, i) in enumerate(labels):
        points = [point(1, whole)] + [point(s, v) for s, v in zip(SHARES, lines[i][1])]
        dashes = ' stroke-dasharray="5 3"' if name.startswith("uneven") else ""
        parts.append(f'<polyline points="{" ".join(",".join(p) for p in points)}" fill="none" stroke="{COLOURS[i]}" stroke-width="1.6"{dashes}/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="2.4" fill="{COLOURS[i]}"/>' for x, y in points[1:]]
        y = y0 + TOP + 12 + 15 * rank
        parts.append(f'<text x="{x0 + WIDTH - RIGHT + 8}" y="{y}" fill="{COLOURS[i]}">{name}</text>')
    return parts


def draw(results):
    low = min(100 * each["accuracy"] for each in results.values()) - 1
    parts = []
    for i, panel in enumerate(("steps", "labels", "data", "recovery")):
        parts += panel_svg(results, panel, i % 2 * WIDTH, i // 2 * HEIGHT, low)
    style = "text{font:11px sans-serif}.t{font-size:14px;font-weight:bold}.g{stroke:#ddd}"
    (args.out / "curves.svg").write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {2 * HEIGHT}" width="{2 * WIDTH}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n', encoding="utf-8")


args.out.mkdir(parents=True, exist_ok=True)
results_file = args.out / "results.json"
all_results = json.loads(results_file.read_text()) if results_file.exists() else {}
if not args.draw:
    measure_all(all_results, results_file)
table(all_results)
draw(all_results)
