#!/usr/bin/env python3
"""Prints of each kernel in a disassembly its symbol and two figures that tell what it will wait for.

    nvdisasm kernels.cubin > kernels.sass; tools/kernel_figures.py kernels.sass

Bytes under way: how many a thread reads before it waits for memory, which it does when an instruction needs a register
that a load is to fill. Loads are counted along each stretch of code that runs without going back: from the start and
from each label on, over branches that are not taken and along those that always are. The longest stretch counts.

Loop: instructions of the innermost loop with the most products on tensor cores, 0 where there is none.
"""
import re
import sys

INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?P<guard>@!?U?P\w+\s+)?(?P<op>[A-Z][\w.]*)\s*(?P<operands>.*?);")
LOAD = re.compile(r"LDG|LD\.E")
END = re.compile(r"EXIT|RET")


class Instruction:
    def __init__(self, match):
        self.guarded = match["guard"] is not None
        self.op = match["op"]
        registers = [int(r) for r in re.findall(r"\bR(\d+)\b", match["operands"])]
        target = re.search(r"`\((\.L_x_\d+)\)", match["operands"])
        self.target = target and target[1]
        self.loaded, self.bytes, self.needed = [], 0, registers
        if LOAD.match(self.op) and registers:
            width = re.search(r"\.[US]?(256|128|64|16|8)\b", self.op)
            self.bytes = int(width[1]) // 8 if width else 4
            self.loaded = range(registers[0], registers[0] + max(1, self.bytes // 4))
            self.needed = registers[1:]


def parsed(lines):
    """Instructions in order, and label → index of the instruction behind it."""
    code, labels = [], {}
    for line in lines:
        if label := re.match(r"(\.L_x_\d+):", line):
            labels[label[1]] = len(code)
        elif instruction := INSTRUCTION.search(line):
            code.append(Instruction(instruction))
    return code, labels


def most_under_way(code, labels, start):
    """Bytes, along the stretch that begins there."""
    load_of, size_of = {}, {}  # register → number of the load that fills it; load → bytes
    at, loads, most = start, 0, 0
    while at < len(code):
        step = code[at]
        if END.match(step.op) and not step.guarded:
            break
        if step.op == "BRA" and not step.guarded:
            if labels.get(step.target, -1) <= at:
                break
            at = labels[step.target]
            continue
        awaited = max((load_of[r] for r in step.needed if r in load_of), default=0)
        load_of = {r: load for r, load in load_of.items() if load > awaited}
        size_of = {load: size for load, size in size_of.items() if load > awaited}
        if step.loaded:
            loads += 1
            size_of[loads] = step.bytes
            load_of.update(dict.fromkeys(step.loaded, loads))
            most = max(most, sum(size_of.values()))
        at += 1
    return most


def bytes_under_way(code, labels):
    return max((most_under_way(code, labels, start) for start in {0, *labels.values()}), default=0)


def loop_of_products(code, labels):
    best = (0, 0)  # products, −instructions
    for end, step in enumerate(code):
        start = labels.get(step.target, len(code)) if step.op.startswith("BRA") else len(code)
        if start <= end:
            products = sum(each.op.startswith("HMMA") for each in code[start:end + 1])
            best = max(best, (products, start - end - 1))
    return -best[1] if best[0] else 0


def main():
    kernels = {}
    for line in open(sys.argv[1]):
        if section := re.match(r"\.text\.(\w+):", line):
            kernels[section[1]] = lines = []
        elif kernels:
            lines.append(line)
    for symbol, lines in kernels.items():
        code, labels = parsed(lines)
        print(symbol, bytes_under_way(code, labels), loop_of_products(code, labels))


if __name__ == "__main__":
    main()
