#!/bin/bash
# Everything that only a machine with an NVIDIA GPU can show, within ten minutes and without a network: builds, runs the
# tests on the device, the sanitizers of the CUDA Toolkit, the demo, and the benches beside PyTorch; ends with one table.
#
#   tools/gpu_check.sh [--build FOLDER] [--skip build,tests,sanitizers,demo,peers] [--out FOLDER]
#
# With --skip build the programs of FOLDER are used as they are. Full logs go to --out. Exit status 1 when a part failed.
set -uo pipefail
cd "$(dirname "$0")/.."

build=build-cuda skip="" out=gpu-check
while [ $# -gt 0 ]; do
  case $1 in
    --build) build=$2; shift 2 ;;
    --skip) skip=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    *) echo "gpu_check: expected --build, --skip or --out, got $1" >&2; exit 2 ;;
  esac
done
mkdir -p "$out"
failed=""

wanted() { [[ ",$skip," != *",$1,"* ]]; }

# part NAME SECONDS COMMAND…: runs it, keeps its log, prints its last lines.
part() {
  local name=$1 limit=$2 start=$SECONDS status=0
  shift 2
  timeout "$limit" "$@" >"$out/$name.log" 2>&1 || status=$?
  printf '── %s: status %d, %d s\n' "$name" $status $((SECONDS - start))
  tail -n "${lines:-4}" "$out/$name.log"
  if [ $status -ne 0 ]; then failed="$failed $name"; fi
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || {
  echo "gpu_check: this machine has no NVIDIA GPU that answers (nvidia-smi failed)" >&2
  exit 1
}

if wanted build; then
  part configure 60 cmake -S . -B "$build" -G Ninja -DINK_CUDA=ON -DINK_CUDA_ARCHITECTURES=native -DINK_BENCH=ON
  part build 400 cmake --build "$build" -j --target test_cuda inkstone_cli tools bench_encode bench_cuda_attention bench_cuda_gemm
fi
if wanted tests; then
  part tests 200 "$build/tests/test_cuda" --gtest_brief=1
  part attention 60 "$build/bench/cuda_attention"
fi
if wanted sanitizers; then
  # Sanitizers are some fifty times slower, racecheck a thousand.
  small='*4x6*:*5x7*:*3x5*:*lengths_2_0_3_1*:*one_sequence*:*repeated*:*33x17*:*ptimizer*'
  few='*softmax_4x6*:*layer_norm_4x6*:*embedding_7_ids*:*cross_entropy_4x6*'
  for tool in memcheck synccheck initcheck racecheck; do
    if [ $tool = racecheck ]; then small=$few; fi
    part $tool 60 compute-sanitizer --tool $tool --error-exitcode 1 "$build/tests/test_cuda" --gtest_brief=1 --gtest_filter="$small"
  done
fi
if wanted demo; then
  mkdir -p "$out/text"  # the project's own pages: there may be no network for others'
  cp docs/*.md "$out/text"
  lines=12 INK_TEXT="$out/text" INK_DEMO="$out/demo" part demo 120 tools/demo.sh --quick --cuda
fi
if wanted peers; then
  lines=40 part products 60 "$build/bench/cuda_gemm"
  lines=12 part host 60 "$build/bench/encode" --device cuda --dtype bf16 --host  # steps as usual and replayed
  lines=12 part int8 60 "$build/bench/encode" --device cuda --dtype int8
  lines=24 part peers 240 python3 bench/cuda_peers.py --program "$build/bench/encode" --rounds 10 --tune
fi
if [ -n "$failed" ]; then
  echo "gpu_check: failed:$failed (logs in $out/)" >&2
  exit 1
fi
echo "gpu_check: all parts passed (logs in $out/)"
