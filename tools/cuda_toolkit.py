"""Finds the compiler and the disassembler of the CUDA release that our kernels' machine code is checked with.

The compiler decides how many registers a kernel needs, so its release is fixed. A toolkit of that release is taken from
this machine, or else from the cache, where fetch() puts the parts that are missing:
wheels of PyPI, in a virtual environment.
"""
import os
import pathlib
import shutil
import subprocess
import sys

RELEASE = "13.0"
WHEELS = {
    "nvcc": ["nvidia-cuda-nvcc==13.0.88", "nvidia-nvvm==13.0.88", "nvidia-cuda-crt==13.0.88",
             "nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cccl==13.0.85"],
    "nvdisasm": ["nvidia-cuda-nvdisasm==13.2.86"],
}


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "inkstone" / f"cuda-{RELEASE}"


def find(tool):
    """The tool on this machine (nvcc: of the right release), else in the cache, else None."""
    found = shutil.which(tool) or shutil.which(tool, path="/usr/local/cuda/bin")
    if found and tool == "nvcc":
        version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout
        found = found if f"release {RELEASE}," in version else None
    fetched = map(str, cache().glob(f"lib/python3*/site-packages/nvidia/cu13/bin/{tool}"))
    return found or next(fetched, None)


def fetch(tool):
    print(f"fetching {tool} into {cache()}", flush=True)
    steps = [[cache() / "bin/pip", "install", "--quiet", "--no-deps", *WHEELS[tool]]]
    if not steps[0][0].exists():
        steps.insert(0, [sys.executable, "-m", "venv", cache()])
    if any(subprocess.run(step).returncode for step in steps):
        sys.exit(f"machine code: {' '.join(WHEELS[tool])} could not be fetched, see above; "
                 f"a toolkit of CUDA {RELEASE} on this machine will do")
    return find(tool)


def tools(may_fetch):
    """Paths of nvcc and nvdisasm; ends the program where one is missing and must not be fetched."""
    found = {tool: find(tool) or (may_fetch and fetch(tool)) for tool in WHEELS}
    missing = [tool for tool, path in found.items() if not path]
    if missing and may_fetch:
        sys.exit(f"machine code: the wheels hold no {' and no '.join(missing)}; expected CUDA {RELEASE}")
    if missing:
        print(f"left out: machine code, as there is no {' and no '.join(missing)} of CUDA {RELEASE}; "
              "tools/check_machine_code.py --fetch gets them")
        sys.exit(0)
    return found
