#!/bin/bash
# Everything that only a machine with an NVIDIA GPU can show, within ten minutes and without a network, what matters most first:
# builds, runs the tests on the device, the benches, those beside PyTorch, the sanitizers of the CUDA Toolkit, the demo.
#
#   tools/gpu_check.sh [--build FOLDER] [--skip build,tests,benches,peers,sanitizers,demo] [--out FOLDER] [--seconds N]
#
# With --skip build the programs of FOLDER are used as they are. Full logs go to --out. Each part has a limit of its own and all
# of them the one of --seconds; what that left no time for is named at the end. Exit status 1 when a part failed, or when build
# or tests did not come to their end.
set -uo pipefail
cd "$(dirname "$0")/.."

build=build-cuda skip="" out=gpu-check seconds=590
while [ $# -gt 0 ]; do
  case $1 in
    --build | --skip | --out | --seconds) ;;
    *) echo "gpu_check: expected --build, --skip, --out or --seconds, got $1" >&2; exit 2 ;;
  esac
  [ $# -gt 1 ] || { echo "gpu_check: expected a value behind $1" >&2; exit 2; }
  declare "${1#--}=$2"
  shift 2
done
[[ $seconds =~ ^[0-9]+$ ]] || { echo "gpu_check: expected a number of seconds, got $seconds" >&2; exit 2; }
mkdir -p "$out"
failed="" left_out=""

wanted() { [[ ",$skip," != *",$1,"* ]]; }

# has WHAT PARTS COMMAND…: whether the machine has it, as the command says; the parts are left out otherwise.
has() {
  local what=$1 parts=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  echo "── $parts: left out, there is no $what here"
  left_out="$left_out $parts"
  return 1
}

grace=$((1 + seconds / 150))  # until who does not end when asked is killed

# part NAME SECONDS COMMAND…: runs it, keeps its log, prints its last lines.
part() {
  local name=$1 limit=$2 left=$((seconds - SECONDS - grace - 1)) start=$SECONDS status=0
  shift 2
  if ((left < 1)); then
    echo "── $name: left out, the time is over"
    status=late
  else
    timeout -k $grace $((left < limit ? left : limit)) "$@" >"$out/$name.log" 2>&1 || status=$?
    printf '── %s: status %d, %d s\n' "$name" $status $((SECONDS - start))
    tail -n "${lines:-4}" "$out/$name.log"
    if ((left < limit)) && [[ $status = 124 || $status = 137 ]]; then status=late; fi
  fi
  case $status:$name in
    0:*) ;;
    late:configure | late:build | late:tests) failed="$failed $name" ;;
    late:*) left_out="$left_out $name" ;;
    *) failed="$failed $name" ;;
  esac
}

nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || {
  echo "gpu_check: this machine has no NVIDIA GPU that answers (nvidia-smi failed)" >&2
  exit 1
}

if wanted build; then
  benches=(bench_encode bench_cuda_attention bench_cuda_gemm bench_cuda_rows)
  part configure 60 cmake -S . -B "$build" -G Ninja -DINK_CUDA=ON -DINK_CUDA_ARCHITECTURES=native -DINK_BENCH=ON
  part build 400 cmake --build "$build" -j --target test_cuda inkstone_cli tools "${benches[@]}"
  if [ -n "$failed" ]; then
    echo "gpu_check: nothing to run; what a build needs: tools/setup.sh build test bench, and the CUDA Toolkit" >&2
    exit 1
  fi
fi
if wanted tests; then
  part tests 200 "$build/tests/test_cuda" --gtest_brief=1
  if grep -q '^cuda: ' "$out/tests.log" 2>/dev/null; then
    echo "gpu_check: the tests found no device: no driver, or one too old for this toolkit" >&2
    failed="$failed tests"
  fi
fi
if wanted benches; then
  lines=12 part host 60 "$build/bench/encode" --device cuda --dtype bf16 --host  # steps as usual and replayed
  lines=12 part int8 60 "$build/bench/encode" --device cuda --dtype int8
  lines=12 part attention 60 "$build/bench/cuda_attention"
  lines=40 part products 60 "$build/bench/cuda_gemm"
  lines=20 part rows 60 "$build/bench/cuda_rows"
fi
find_pytorch='from importlib.util import find_spec as f; exit(not (f("torch") and f("transformers")))'
if wanted peers && has PyTorch peers python3 -c "$find_pytorch"; then
  peers=(python3 bench/cuda_peers.py --program "$build/bench/encode")
  lines=24 part peers 240 "${peers[@]}" --rounds 10 --tune
  peers+=(--tune --no-compile --dtype f32 --rounds 5 --what infer,train)  # to compile for these too would take minutes
  lines=16 part peers-f32 90 "${peers[@]}"
  lines=16 part peers-tf32 90 "${peers[@]}" --tf32
fi
if wanted sanitizers && has compute-sanitizer sanitizers command -v compute-sanitizer; then
  # Sanitizers are some fifty times slower, racecheck a thousand.
  small='*4x6*:*5x7*:*3x5*:*lengths_2_0_3_1*:*one_sequence*:*repeated*:*33x17*:*ptimizer*'
  small="$small:GraphOnDevice*:ReplayedRandom*:Int8OnDevice.Linear*:Int8OnDevice.Rows*"
  few='*softmax_4x6*:*layer_norm_4x6*:*embedding_7_ids*:*cross_entropy_4x6*'
  for tool in memcheck synccheck initcheck racecheck; do
    if [ $tool = racecheck ]; then small=$few; fi
    part $tool 60 compute-sanitizer --tool $tool --error-exitcode 1 "$build/tests/test_cuda" --gtest_brief=1 \
      --gtest_filter="$small"
  done
fi
if wanted demo; then
  mkdir -p "$out/text"  # the project's own pages: there may be no network for others'
  cp docs/*.md "$out/text"
  export INK_TEXT="$out/text" INK_DEMO="$out/demo" INK_BUILD="$build"
  lines=12 part demo 120 tools/demo.sh --quick --cuda
fi

echo "gpu_check: $SECONDS s${left_out:+; no time or no tools for$left_out}"
if [ -n "$failed" ]; then
  echo "gpu_check: failed:$failed (logs in $out/)" >&2
  exit 1
fi
echo "gpu_check: all ${left_out:+other }parts passed (logs in $out/)"
