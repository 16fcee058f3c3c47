"""Keeps of two toolkits' own runs what the tests read: tests/golden/textpruner/, tests/golden/textbrewer/.

    python tools/golden/textpruner_runs.py OUT     needs TextPruner and transformers 4.x; see there
    python tools/golden/textbrewer_runs.py OUT     needs TextBrewer; see there
    python tools/golden/toolkits.py OUT       needs nothing but Python

Models, batches and inputs are random numbers from fixed seeds; nothing is anybody's data.
"""
import json
import pathlib
import re
import shutil
import struct
import sys

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "tests/golden"


def read_tensors(path):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (e, data[8 + size + e["data_offsets"][0]:8 + size + e["data_offsets"][1]]) for name, e in header.items()}


def write_tensors(path, tensors):
    header, body = {}, b""
    for name in sorted(tensors, key=lambda n: (-len(tensors[n][1]) // max(1, count(tensors[n][0])), n)):
        entry, data = tensors[name]
        header[name] = dict(dtype=entry["dtype"], shape=entry["shape"], data_offsets=[len(body), len(body) + len(data)])
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def count(entry):
    n = 1
    for extent in entry["shape"]:
        n *= extent
    return n


def chosen(tensors, *patterns):
    return {name: t for name, t in tensors.items() if any(re.fullmatch(p, name) for p in patterns)}


def textpruner(source, to):
    (to / "runs.json").write_text((source / "textpruner.json").read_text() + "\n")
    write_tensors(to / "runs.safetensors", read_tensors(source / "textpruner.safetensors"))
    for name in ("config.json", "model.safetensors"):
        shutil.copyfile(source / "bert-tiny" / name, to / name)


def rounded(tensor):
    entry, data = tensor
    n = count(entry)
    return dict(dtype="F32", shape=entry["shape"]), struct.pack(f"<{n}f", *struct.unpack(f"<{n}d", data))


def textbrewer(source, to):
    runs = json.loads((source / "textbrewer.json").read_text())
    (to / "runs.json").write_text(json.dumps(runs, indent=1) + "\n")
    write_tensors(to / "runs.safetensors", read_tensors(source / "textbrewer_losses.safetensors"))
    tensors = read_tensors(source / "textbrewer_step.safetensors")
    kept = chosen(tensors, r"batch\..*", r"projection\d\.(weight|bias)")
    # gradients of a whole step are compared to seven digits: half the size
    gradients = chosen(tensors, rf"({'|'.join(runs['steps'])})\.grad\..*")
    write_tensors(to / "step.safetensors", kept | {name: rounded(t) for name, t in gradients.items()})
    for model in ("teacher", "student"):
        (to / model).mkdir(exist_ok=True)
        for name in ("config.json", "model.safetensors"):
            shutil.copyfile(source / f"distil-{model}" / name, to / model / name)


def main():
    source = pathlib.Path(sys.argv[1])
    for choose in (textpruner, textbrewer):
        to = GOLDEN / choose.__name__
        to.mkdir(parents=True, exist_ok=True)
        choose(source, to)


if __name__ == "__main__":
    main()
