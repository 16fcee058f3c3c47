"""Reads the event files of a training with TensorBoard's own reader and compares them with its log.

Run: python3 tools/compare_events.py OUT/training (needs the package tensorboard). Every number of log.jsonl has to be
there under its step and tag, as a float, and nothing else; also after the training was killed and resumed.
"""
import json
import math
import pathlib
import struct
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def as_float(value):
    return math.nan if value is None else struct.unpack("f", struct.pack("f", value))[0]


def logged(folder):
    numbers = {}
    for line in map(json.loads, (folder / "log.jsonl").read_text().splitlines()):
        step = line.pop("step")
        prefix = "training/"
        if "evaluation" in line:
            prefix, line = "evaluation/", {**line["evaluation"], "score": line["score"]}
        for name, value in line.items():
            numbers[prefix + name, step] = as_float(value)
    return numbers


def same(a, b):
    return a == b or (math.isnan(a) and math.isnan(b))


folder = pathlib.Path(sys.argv[1])
reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
reader.Reload()
read = {(tag, event.step): event.value for tag in reader.Tags()["scalars"] for event in reader.Scalars(tag)}
expected = logged(folder)
wrong = [key for key in expected.keys() | read.keys()
         if key not in read or key not in expected or not same(read[key], expected[key])]
if wrong:
    sys.exit(f"{folder}: {len(wrong)} of {len(expected)} numbers differ, the first {sorted(wrong)[0]}")
print(f"{folder}: TensorBoard reads the {len(expected)} numbers of the log")
