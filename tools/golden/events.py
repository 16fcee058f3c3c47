"""Writes tests/golden/events.tfevents with TensorBoard's own protocol buffers and record writer.

Run: python3 tools/golden/events.py (needs the package tensorboard). tests/autograd/event_file_test.cpp writes the same
events and compares the bytes.
"""
import pathlib

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

WALL_TIME = 1700000000.25


def summary(step, values):
    return Event(wall_time=WALL_TIME + step, step=step,
                 summary=Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values]))


events = [
    Event(wall_time=WALL_TIME, file_version="brain.Event:2"),
    Event(wall_time=WALL_TIME, step=121, session_log=SessionLog(status=SessionLog.START)),
    summary(130, [("training/loss", 2.5), ("training/学习率", 1e-4)]),
    summary(300000, [("evaluation/" + 200 * "x", float("nan"))]),
]
path = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "events.tfevents"
with open(path, "wb") as file:
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
print(f"{path}: {path.stat().st_size} bytes")
