#!/usr/bin/env python3
"""Compiles every file with CUDA kernels for every architecture and holds the machine code to its rules; needs no GPU.

    tools/check_machine_code.py [--build build] [--jobs 2] [--update] [--only FILE]… [--fetch] [--self-test]

Rules: nvcc warns of nothing, nothing spills, nothing lies in local memory, no arithmetic in f64, tensor cores where
attention should use them, 128-bit loads where a kernel's name says so, loads under way together where a kernel waits
for memory, every kernel has launch bounds or stands in THREADS, and such blocks fit. tests/cuda/machine_code.tsv holds
of each kernel its registers, the blocks that fit on a multiprocessor, the widest load, how many bytes a thread reads
before it waits and how many instructions its loop over products has; none may get worse. --update writes it anew;
--only FILE looks at the kernels of one file and leaves the rest of the table as it is.

The toolkit is this machine's or, where parts are missing, what --fetch puts into the cache (tools/cuda_toolkit.py).
Without --fetch a missing toolkit leaves the check out. STRICT=yes is --fetch.
"""
import argparse
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import cuda_toolkit

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests/cuda/machine_code.tsv"
FIGURES = ROOT / "tools/kernel_figures.py"
FLAGS = ("-x cu -std=c++20 -O3 -DNDEBUG -DINK_CUDA=1 --expt-relaxed-constexpr --diag-suppress=177,1675"
         " -Werror=all-warnings -Xptxas -v")

# Of a multiprocessor: threads, blocks, bytes of shared memory. All have 65,536 registers in four parts.
LIMITS = {80: (2048, 32, 164 << 10), 86: (1536, 16, 100 << 10), 89: (1536, 24, 100 << 10),
          90: (2048, 32, 228 << 10), 100: (2048, 32, 228 << 10), 120: (1536, 24, 100 << 10)}

# Threads of the largest block that each kernel without launch bounds is launched with.
THREADS = [(r"^(decide|scaled_sum|inverse_count)$", 1024), (r"^(cosine|cosine_backward|gather)<.*BlockTeam", 512),
           (r"^maximum_of_rows<.*BlockTeam", 256),
           (r"^(adamw|lamb|lamb_moments|lamb_ratio|sgd|gradient_squares|sums|flatten|add_in_order)$", 256),
           (r"^(dropout|gate|gate_backward|gru_step|gru_step_backward|join|maximum_backward|scale_and_add|walk)<", 256),
           (r"^(cosine|cosine_backward|gather|maximum_of_rows)<.*WarpTeam|^sum_(pieces|parts)<", 128)]
MOST_THREADS = 1024  # of any block

# Kernels that work on tensor cores, and those whose name says that they read 16 bytes at a time.
TENSOR_CORES = r"^attention_"
PACKS = r"^attention_|Team\b|^(layer_norm|dropout)|^map<\d, InF32|<8, .*f16>$|<4, .*f32>$|<b?f16, 8>|<f32, 4>"

# Kernels of large tensors, which wait for memory, and the bytes that a multiprocessor of sm_90 should have under way in
# them: what a copy brings to each of 132 in three quarters of a microsecond.
WAIT_FOR_MEMORY = (r"^(map|sum|column_sums(?=<[48],)|(row|piece)_sums|layer_norm|softmax(?!.*WarpTeam, [12])|long_softmax|"
                   r"cross_entropy|soft|rows_to_gradient|maximum_of_rows|cosine)(_backward|_of_rows)?<")
UNDER_WAY = 24 << 10

# Kernels that may use some bytes of stack, where, how many and why.
STACK = [(r"^attention_query_gradient<b?f16, 128>", (120,), 8, "two registers over 255; tiles suit sm_90"),
         (r"^layer_norm_backward<b?f16, BlockTeam, 4>", (100, 120), 64, "over 255, in rows of more than 4,096 elements"),
         (r"^softmax<Probability, f32, BlockTeam, 4>", (86, 89), 8, "over 64, in blocks of 1,024 threads")]

F64 = r"^(D(ADD|MUL|FMA|SETP|MNMX|MMA)\b|.*\bF64\b|MUFU\.\w+64H)"
KEPT_LINES = (r"^//-+ \.(nv\.info|text)\.|^\.text\.|EIATTR_|\.word|LD[LG]|LD\.E|STL|HMMA|"
              r"D(ADD|MUL|FMA|SETP|MNMX|MMA)|F64|MUFU\.[A-Z]+64H")

TYPES = [("Bfloat16", "bf16"), ("Float16", "f16"), ("float", "f32"), ("double", "f64"), ("unsigned char", "u8"),
         ("unsigned short", "u16"), ("unsigned int", "u32"), ("unsigned long", "u64"), ("int", "i32"), ("long", "i64")]

Kernel = collections.namedtuple("Kernel", "registers stack spills shared bounded threads in_flight loop instructions")
Row = collections.namedtuple("Row", "threads shared load sizes")  # sizes: architecture → Size
Size = collections.namedtuple("Size", "registers blocks in_flight loop")


# ── compiling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def sources():
    """Files that CMake gives to nvcc: see cmake/Cuda.cmake."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "*.cpp", ":!tests", ":!bench", ":!cuda/emulated"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    marks = re.compile(r'#include "(.*[.]cuh|tensor/ops/map[.]h)"')
    return sorted(name for name in names if marks.search((ROOT / name).read_text()))


def object_of(source, arch):
    return f"{source.replace('/', '+')}.{arch}"


def compile_all(tools, files, folder, jobs):
    """Leaves in the folder, of each of the files and each architecture, ptxas' report (.log), instructions (.sass) and
    figures of its loads and loops (.figures)."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["rule code",
             f"  command = {tools['nvcc']} {FLAGS} -I{ROOT} -arch=sm_$arch -MD -MT $out -MF $out.d"
             f" -cubin -o $cubin $in >$log 2>&1 || {{ cat $log; exit 1; }}; {tools['nvdisasm']} $cubin >$cubin.all &&"
             f" {{ grep -E '{KEPT_LINES}' $cubin.all >$out; {sys.executable} {FIGURES} $cubin.all >$figures;"
             " rm $cubin $cubin.all; }",
             "  depfile = $out.d", "  deps = gcc", "  description = $in, sm_$arch"]
    for file in {*sources(), *files}:  # all, lest ninja forget those that are not looked at now
        for arch in LIMITS:
            name = object_of(file, arch)
            lines += [f"build {name}.sass: code {ROOT}/{file}", f"  arch = {arch}", f"  cubin = {name}.cubin",
                      f"  log = {name}.log", f"  figures = {name}.figures"]
    (folder / "build.ninja").write_text("\n".join(lines) + "\n")
    wanted = [f"{object_of(file, arch)}.sass" for file in files for arch in LIMITS]
    done = subprocess.run(["ninja", "-C", folder, "-k", "0", "-j", str(jobs), *wanted], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout}\nmachine code: the kernels above do not compile")


# ── reading what came out ─────────────────────────────────────────────────────────────────────────────────────────────


def short(name):
    """void ink::cuda::map_kernel<4, …::Same, ink::Bfloat16>(…) → map<4, Same, bf16>"""
    name = re.sub(r"^void |ink::|cuda::|vmath::|\(anonymous namespace\)::", "", name)
    name = re.sub(r"(>?)\(.*", r"\1", name).replace("_kernel", "", 1).replace("> >", ">>").replace("> >", ">>")
    for long, word in TYPES:
        name = re.sub(rf"\b{long}\b", word, name)
    name = re.sub(r"\w+TilesFor<(\d+), \w+>, (true|false)", lambda m: m[1] + ", dropout" * (m[2] == "true"), name)
    return re.sub(r"PlainTiles<(\d+), \d+>", r"\1", name)


def resources(log):
    """symbol → (stack, spills, registers, shared) of a report of ptxas."""
    pattern = (r"entry function '(\w+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads"
               r".*?Used (\d+) registers([^\n]*)")
    found = {}
    for symbol, stack, stores, loads, registers, rest in re.findall(pattern, log, re.DOTALL):
        shared = re.search(r"(\d+) bytes smem", rest)
        found[symbol] = int(stack), int(stores) + int(loads), int(registers), int(shared[1]) if shared else 0
    return found


def instructions(sass):
    """symbol → set of instructions looked at, and symbol → threads of its launch bounds."""
    ops, bounds = collections.defaultdict(set), {}
    symbol = attribute = None
    for line in sass.split("\n"):
        if line.startswith(".text."):
            symbol = line[len(".text."):-1]
        elif header := re.match(r"//-+ \.(?:nv\.info|text)\.(\w+)", line):
            symbol = header[1]
        elif "EIATTR_" in line:
            attribute = line.rsplit("EIATTR_", 1)[1].strip()
        elif ".word" in line and attribute == "MAX_THREADS":
            bounds[symbol], attribute = int(line.split()[-1], 16), None
        elif op := re.search(r"\*/\s+(?:@!?\w+ )?([A-Z][\w.]+)", line):
            ops[symbol].add(op[1])
    return ops, bounds


def threads_of(name):
    return next((threads for pattern, threads in THREADS if re.search(pattern, name)), None)


def read(folder, source, arch):
    """short name → Kernel"""
    file = folder / object_of(source, arch)
    used = resources(pathlib.Path(f"{file}.log").read_text())
    ops, bounds = instructions(pathlib.Path(f"{file}.sass").read_text())
    figures = {}
    for line in pathlib.Path(f"{file}.figures").read_text().splitlines():
        symbol, *numbers = line.split()
        figures[symbol] = map(int, numbers)
    demangled = subprocess.run(["c++filt"], input="\n".join(used), capture_output=True, text=True, check=True).stdout
    kernels = {}
    for symbol, name in zip(used, map(short, demangled.split("\n"))):
        if name in kernels:
            sys.exit(f"machine code: {source} has two kernels with the short name {name}; please name them apart")
        stack, spills, registers, shared = used[symbol]
        threads = bounds.get(symbol) or threads_of(name)
        kernels[name] = Kernel(registers, stack, spills, shared, threads is not None, threads or MOST_THREADS,
                               *figures[symbol], ops[symbol])
    return kernels


def blocks_that_fit(kernel, arch):
    """On a multiprocessor, as registers, static shared memory and threads allow."""
    most_threads, most_blocks, memory = LIMITS[arch]
    warps = (kernel.threads + 31) // 32
    of_a_warp = (kernel.registers * 32 + 255) // 256 * 256
    by_registers = 65536 // 4 // of_a_warp * 4 // warps
    by_memory = memory // ((kernel.shared + 1024 + 127) // 128 * 128)
    return min(most_threads // kernel.threads, most_blocks, by_registers, by_memory)


def widest_load(kernel):
    """Bits of the widest load from global memory."""
    loads = [op for op in kernel.instructions if op.startswith(("LDG", "LD.E"))]
    widths = [re.search(r"\.[US]?(256|128|64|16|8)\b", op) for op in loads]
    return max((int(width[1]) if width else 32 for width in widths), default=0)


# ── the rules ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def stack_of(name, arch):
    """Bytes of stack that the kernel may use."""
    return max((size for pattern, where, size, _ in STACK if arch in where and re.search(pattern, name)), default=0)


def faults(name, kernel, arch):
    """Sentences on what is wrong with a kernel by itself."""
    if kernel.stack > stack_of(name, arch):
        advice = "keep fewer values alive" if kernel.spills else "unroll the loops over its local arrays"
        yield f"has {kernel.stack} bytes of stack and spills {kernel.spills}; {advice}, or give the reason in STACK"
    if not kernel.stack and any(op.startswith(("LDL", "STL")) for op in kernel.instructions):
        yield "reads or writes local memory; unroll the loops over its local arrays"
    if wide := sorted(op for op in kernel.instructions if re.match(F64, op)):
        yield f"computes in f64 ({', '.join(wide)}); look for a literal without f and for parameters of type double"
    if re.search(TENSOR_CORES, name) and not any(op.startswith("HMMA") for op in kernel.instructions):
        yield "has no HMMA; it should multiply on tensor cores (cuda/fragments.cuh)"
    if re.search(PACKS, name) and widest_load(kernel) < 128:
        yield f"loads {widest_load(kernel)} bits at most; it should read packs of 128 (load_pack)"
    under_way = kernel.in_flight * kernel.threads * blocks_that_fit(kernel, arch)
    if arch == 90 and re.search(WAIT_FOR_MEMORY, name) and under_way < UNDER_WAY:
        yield (f"has {under_way} bytes under way on a multiprocessor, {kernel.in_flight} a thread; it should have "
               f"{UNDER_WAY} (cuda/in_flight.cuh)")
    if not kernel.bounded:
        yield "has no launch bounds; give it __launch_bounds__(threads of its largest block)"
    if blocks_that_fit(kernel, arch) == 0:
        yield f"cannot run: {kernel.threads} threads of {kernel.registers} registers do not fit on a multiprocessor"


def row_of(kernels):
    """What the table holds of one kernel, given it for each architecture."""
    each = kernels.values()
    return Row(max(k.threads for k in each), max(k.shared for k in each), min(map(widest_load, each)),
               {arch: Size(k.registers, blocks_that_fit(k, arch), k.in_flight, k.loop) for arch, k in kernels.items()})


def changes(old, new):
    """Sentences on what got worse since the table was written; both are (file, kernel) → Row."""
    for key in sorted(old.keys() - new.keys()):
        yield key, "is in the table and no longer compiled"
    for key in sorted(new.keys() - old.keys()):
        yield key, "is not in the table"
    for key in sorted(old.keys() & new.keys()):
        for arch, size in new[key].sizes.items():
            before = old[key].sizes[arch]
            if size.registers > before.registers:
                yield key, f"takes {size.registers} registers on sm_{arch}, in the table {before.registers}"
            if size.blocks < before.blocks:
                yield key, f"fits {size.blocks} times on a multiprocessor of sm_{arch}, in the table {before.blocks} times"
            if size.in_flight < before.in_flight:
                yield key, f"reads {size.in_flight} bytes before it waits on sm_{arch}, in the table {before.in_flight}"
            if size.loop > before.loop:
                yield key, f"has {size.loop} instructions in its loop on sm_{arch}, in the table {before.loop}"
        if new[key].load < old[key].load:
            yield key, f"loads {new[key].load} bits at most, in the table {old[key].load}"


def write_table(rows):
    lines = ["\t".join(["file", "kernel", "threads", "shared", "load", *(f"sm_{arch}" for arch in LIMITS)])]
    for (file, name), row in sorted(rows.items()):
        sizes = ["/".join(map(str, size)) for size in row.sizes.values()]
        lines.append("\t".join([file, name, str(row.threads), str(row.shared), str(row.load), *sizes]))
    TABLE.write_text("\n".join(lines) + "\n")


def read_table():
    rows = {}
    text = TABLE.read_text() if TABLE.exists() else ""
    for line in text.splitlines()[1:]:
        file, name, threads, shared, load, *cells = line.split("\t")
        sizes = {arch: Size(*map(int, cell.split("/"))) for arch, cell in zip(LIMITS, cells)}
        rows[file, name] = Row(int(threads), int(shared), int(load), sizes)
    return rows


# ── the program ───────────────────────────────────────────────────────────────────────────────────────────────────────


def measure(tools, files, folder, jobs):
    """(file, kernel) → Row, and the sentences on what is wrong with them."""
    compile_all(tools, files, folder, jobs)
    kernels, wrong = collections.defaultdict(dict), []
    for file in files:
        for arch in LIMITS:
            for name, kernel in read(folder, file, arch).items():
                kernels[file, name][arch] = kernel
                wrong += [((file, name), f"on sm_{arch} {fault}") for fault in faults(name, kernel, arch)]
    return {key: row_of(each) for key, each in kernels.items()}, wrong


def test_example(tools):
    """CONTRIBUTING.md's op must compile, and must not once its functions are the host's alone."""
    op = re.search(r"```cpp\n(// softsign.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.DOTALL)[1]
    command = [tools["nvcc"], *FLAGS.split(), f"-I{ROOT}", "-arch=sm_80", "-ptx", "-o", os.devnull, "-"]
    sound, planted = (subprocess.run(command, input=code, capture_output=True, text=True)
                      for code in (op, op.replace("INK_BOTH ", "")))
    if sound.returncode:
        yield f"the op of CONTRIBUTING.md: {sound.stdout}{sound.stderr}"
    if "calling a __host__ function" not in planted.stdout + planted.stderr:
        yield "the op of CONTRIBUTING.md without INK_BOTH"


def self_test(tools, jobs):
    """Every kernel planted in a file of mistakes must be refused, for the reason that its comment there gives, and an op
    whose functions kernels cannot call."""
    file = "tests/cuda/machine_code_planted.cu"
    with tempfile.TemporaryDirectory() as folder:
        rows, wrong = measure(tools, [file], pathlib.Path(folder), jobs)
    sound = (file, "sound")
    better = rows[sound]._replace(load=128, sizes={arch: Size(1, 99, 99, -1) for arch in LIMITS})
    wrong += changes({**rows, sound: better, (file, "gone"): better}, rows)
    wrong += changes({}, {(file, "new"): better})
    expected = re.findall(r"// refused: (\S.*?): (.*)", (ROOT / file).read_text())
    expected += [("sound", text) for text in ("registers on", "fits", "loads", "before it waits", "in its loop")]
    expected += [("gone", "no longer compiled"), ("new", "not in the table")]
    missed = [f"{name}: {text}" for name, text in expected
              if not any(key[1] == name and text in sentence for key, sentence in wrong)]
    unjust = [sentence for key, sentence in wrong if key[1] == "sound" and "in the table" not in sentence]
    wrong_example = list(test_example(tools))
    if missed or unjust or wrong_example:
        sys.exit("\n".join(["machine code: not refused, or refused without cause:", *missed, *unjust, *wrong_example]))
    print(f"machine code: all {len(expected) + 1} planted mistakes are refused")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where to compile")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--update", action="store_true", help="write the table anew")
    parser.add_argument("--only", metavar="FILE", action="append", help="the kernels of this file")
    parser.add_argument("--fetch", action="store_true", help="get what is missing of the toolkit")
    parser.add_argument("--self-test", action="store_true", help="see that planted mistakes are refused")
    args = parser.parse_args()
    built_for = re.search(r'INK_CUDA_ARCHITECTURES "([\d;]+)"', (ROOT / "CMakeLists.txt").read_text())[1]
    if built_for.split(";") != list(map(str, LIMITS)):
        sys.exit(f"machine code: CMakeLists.txt builds for {built_for}; please give LIMITS the same architectures")
    tools = cuda_toolkit.tools(args.fetch or os.environ.get("STRICT") == "yes")
    if args.self_test:
        return self_test(tools, args.jobs)
    files = args.only or sources()
    if strangers := set(files) - set(sources()):
        sys.exit(f"machine code: --only: expected a file that nvcc compiles, got {', '.join(strangers)}")
    rows, wrong = measure(tools, files, args.build / "machine_code", args.jobs)
    recorded = read_table()
    others = {key: row for key, row in recorded.items() if args.only and key[0] not in files}
    if args.update:
        write_table({**others, **rows})
    else:
        wrong += changes({key: row for key, row in recorded.items() if key not in others}, rows)
    for (file, name), sentence in wrong:
        print(f"{file}: {name} {sentence}")
    if wrong:
        sys.exit("machine code: see above; where a change of the table is meant: tools/check_machine_code.py --update")
    print(f"machine code: {len(rows)} kernels for {len(LIMITS)} architectures keep the rules")


if __name__ == "__main__":
    main()
