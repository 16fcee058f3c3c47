// Attention on the CUDA device: PASS or FAIL against double precision, then TFLOP/s.
//
//   cuda_attention [check | time]      both without an argument; exit code 1 after a FAIL
//
// Forward counts 4·D·Σ T² operations per head (two products), backward 2.5 times as many (five).
// Times are medians between events on the stream; where the inputs of one call would stay in the
// cache, calls take turns on several sets.
#include "bench/device_time.h"
#include "cuda/attention.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "cuda/runtime.h"
#include "cuda/stream.h"
#include "tensor/op.h"
#include "tensor/ops.h"

namespace ink {
namespace {

using cuda::AttentionKernels;

struct Problem {
  const char* label;
  std::vector<int32_t> offsets;
  int64_t heads, head_size;
  double dropout = 0;

  int64_t rows() const { return offsets.back(); }
  int64_t channels() const { return heads * head_size; }
  double scale() const { return 1 / std::sqrt(static_cast<double>(head_size)); }
  double forward_flops() const {
    double flops = 0;
    for (size_t b = 1; b < offsets.size(); ++b) {
      const double length = offsets[b] - offsets[b - 1];
      flops += 4 * length * length * static_cast<double>(channels());
    }
    return flops;
  }
};

std::vector<int32_t> equal_lengths(int32_t sequences, int32_t length) {
  std::vector<int32_t> offsets;
  for (int32_t b = 0; b <= sequences; ++b) offsets.push_back(b * length);
  return offsets;
}
std::vector<int32_t> ragged_lengths(int32_t sequences, int32_t longest) {
  std::vector<int32_t> offsets = {0};
  Draws draws(Random(3));
  for (int32_t b = 0; b < sequences; ++b)
    offsets.push_back(offsets.back() + 1 +
                      static_cast<int32_t>(draws.below(static_cast<uint64_t>(longest))));
  return offsets;
}

// Of one call, all on one device. q, k and v are columns of one matrix (N, 3·C).
template <class T>
struct Call {
  const Problem& problem;
  Tensor inputs, dout, offsets, out, log_sum, dq, dk, dv;

  Call(const Problem& p, const Tensor& in, const Tensor& dy)
      : problem(p), inputs(in), dout(dy), offsets(to(from(p.offsets), in.device())) {
    const Shape shape{p.rows(), p.channels()};
    for (Tensor* x : {&out, &dq, &dk, &dv}) *x = Tensor(shape, in.dtype(), in.device());
    log_sum = Tensor({p.rows(), p.heads}, wide(in.dtype()), in.device());
  }
  AttentionInput<T> input() const {
    const int64_t C = problem.channels(), ld = 3 * C;
    const T* x = inputs.data<T>();
    return {.q = {x, ld},
            .k = {x + C, ld},
            .v = {x + 2 * C, ld},
            .offsets = {offsets.data<int32_t>(), problem.offsets.size()},
            .heads = problem.heads,
            .head_size = problem.head_size,
            .scale = problem.scale(),
            .dropout = problem.dropout,
            .random = Random(17)};
  }
  Rows<T> rows(Tensor& x) const { return {x.data<T>(), problem.channels()}; }
  Rows<const T> rows(const Tensor& x) const { return {x.data<T>(), problem.channels()}; }

  void forward(AttentionKernels kernels) {
    cuda::attention_forward(input(), problem.rows(), rows(out), log_sum.data<float>(), kernels);
  }
  void backward(AttentionKernels kernels) {
    cuda::attention_backward(input(), problem.rows(), rows(std::as_const(out)),
                             log_sum.data<float>(), rows(std::as_const(dout)), rows(dq), rows(dk),
                             rows(dv), kernels);
  }
  std::vector<Tensor> results() const {
    std::vector<Tensor> all;
    for (const Tensor& x : {out, log_sum, dq, dk, dv}) all.push_back(to(x, Device::cpu));
    return all;
  }
};

// ── checks ──────────────────────────────────────────────────────────────────────────────────────

bool failed = false;

void report(bool passes, const std::string& what) {
  std::printf("%s %s\n", passes ? "PASS" : "FAIL", what.c_str());
  failed = failed || !passes;
}

std::vector<Tensor> in_double(const Problem& p, const Tensor& in, const Tensor& dout) {
  Call<double> c(p, converted(in, Dtype::f64), converted(dout, Dtype::f64));
  attention_forward(c.input(), c.rows(c.out), c.log_sum.data<double>());
  attention_backward(c.input(), c.rows(std::as_const(c.out)), c.log_sum.data<double>(),
                     c.rows(std::as_const(c.dout)), c.rows(c.dq), c.rows(c.dk), c.rows(c.dv));
  return c.results();
}

double normalized_error(const Tensor& got, const Tensor& expected) {
  const Tensor wide = converted(got, Dtype::f64);
  double error = 0, norm = 0;
  for (int64_t i = 0; i < wide.size(); ++i) {
    const double x = wide.data<double>()[i], y = expected.data<double>()[i];
    error += (x - y) * (x - y), norm += y * y;
  }
  return error / std::max(norm, 1e-30);
}

template <class T>
void check_one(const Problem& p, AttentionKernels kernels) {
  // From three streams: the numbers of one repeat, and a key that equals a query would rule its
  // row.
  const auto numbers = [&](uint64_t seed) {
    return randn({p.rows(), p.channels()}, seed, Dtype::f32);
  };
  const Tensor in = converted(concat({numbers(1), numbers(2), numbers(3)}, 1), dtype_of<T>);
  const Tensor dout = converted(numbers(4), dtype_of<T>);
  Call<T> call(p, to(in, Device::cuda), to(dout, Device::cuda));
  call.forward(kernels), call.backward(kernels);
  const std::vector<Tensor> got = call.results(), expected = in_double(p, in, dout);
  call.forward(kernels), call.backward(kernels);
  const std::vector<Tensor> again = call.results();

  const double step = dtype_of<T> == Dtype::bf16 ? 0x1p-7 : 0x1p-10;
  const double tolerance = sizeof(T) == 4 ? 1e-11 : step * step;
  bool passes = true;
  std::string text = std::string(name_of(dtype_of<T>)) +
                     (kernels == AttentionKernels::plain ? " plain " : " ") + p.label + ", D " +
                     std::to_string(p.head_size) + (p.dropout > 0 ? ", dropout" : "") + ":";
  const char* names[] = {"out", "log_sum", "dq", "dk", "dv"};
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = normalized_error(got[i], expected[i]);
    passes = passes && error <= (i == 1 ? 1e-10 : tolerance) && equal_bits(got[i], again[i]);
    char number[64];
    std::snprintf(number, sizeof number, " %s %.1e%s", names[i], error,
                  equal_bits(got[i], again[i]) ? "" : " (differs when repeated)");
    text += number;
  }
  report(passes, text);
}

void check_all() {
  std::vector<Problem> problems;
  for (const int64_t d : {64, 128, 32, 80, 8}) {
    problems.push_back({"lengths 1 0 9 37 150", {0, 1, 1, 10, 47, 197}, 2, d});
    problems.push_back({"lengths 300 17 512", {0, 300, 317, 829}, 2, d, 0.1});
  }
  problems.push_back({"200 ragged lengths", ragged_lengths(200, 40), 3, 64});
  for (const Problem& p : problems) {
    check_one<Bfloat16>(p, AttentionKernels::fastest);
    check_one<Float16>(p, AttentionKernels::fastest);
    check_one<float>(p, AttentionKernels::plain);
  }
  check_one<Bfloat16>({"lengths 3 70", {0, 3, 73}, 3, 20}, AttentionKernels::plain);
  check_one<float>({"lengths 3 70", {0, 3, 73}, 1, 256}, AttentionKernels::plain);
}

// ── times ───────────────────────────────────────────────────────────────────────────────────────

template <class T>
void time_one(const Problem& p, AttentionKernels kernels, size_t repeats) {
  const double bytes = static_cast<double>(p.rows() * p.channels()) * 8 * sizeof(T);
  const int sets = std::clamp(static_cast<int>(200e6 / bytes), 1, 4);  // together beyond the cache
  std::vector<Call<T>> calls;
  for (int s = 0; s < sets; ++s) {
    const auto seed = static_cast<uint64_t>(2 * s);
    calls.emplace_back(
        p,
        to(converted(randn({p.rows(), 3 * p.channels()}, seed, Dtype::f32), dtype_of<T>),
           Device::cuda),
        to(converted(randn({p.rows(), p.channels()}, seed + 1, Dtype::f32), dtype_of<T>),
           Device::cuda));
    calls.back().forward(kernels);
  }
  const auto call = [&](size_t i) -> Call<T>& { return calls[i % calls.size()]; };
  const double forward = median_seconds(repeats, [&](size_t i) { call(i).forward(kernels); });
  const double backward = median_seconds(repeats, [&](size_t i) { call(i).backward(kernels); });
  const double flops = p.forward_flops();
  std::printf("%-4s %-7s %-20s H %2d D %3d %-8s %9.1f %7.1f %9.1f %7.1f %9.1f %7.1f\n",
              name_of(dtype_of<T>), kernels == AttentionKernels::plain ? "plain" : "fastest",
              p.label, static_cast<int>(p.heads), static_cast<int>(p.head_size),
              p.dropout > 0 ? "dropout" : "", forward * 1e6, flops / forward * 1e-12,
              backward * 1e6, 2.5 * flops / backward * 1e-12, (forward + backward) * 1e6,
              3.5 * flops / (forward + backward) * 1e-12);
}

void time_all() {
  std::printf("%-52s %19s %19s %19s\n", "", "forward", "backward", "together");
  std::printf("%-52s %9s %7s %9s %7s %9s %7s\n", "", "us", "TFLOP/s", "us", "TFLOP/s", "us",
              "TFLOP/s");
  const Problem all[] = {{"32 x 512", equal_lengths(32, 512), 12, 64},
                         {"8 x 4096", equal_lengths(8, 4096), 12, 64},
                         {"32 x 128", equal_lengths(32, 128), 12, 64},
                         {"128 x 128", equal_lengths(128, 128), 12, 64},
                         {"64, lengths to 512", ragged_lengths(64, 512), 12, 64},
                         {"32 x 512", equal_lengths(32, 512), 12, 64, 0.1},
                         {"32 x 512", equal_lengths(32, 512), 8, 128},
                         {"8 x 4096", equal_lengths(8, 4096), 8, 128},
                         {"32 x 512", equal_lengths(32, 512), 12, 32}};
  for (const Problem& p : all) time_one<Bfloat16>(p, AttentionKernels::fastest, 40);
  time_one<Float16>(all[0], AttentionKernels::fastest, 40);
  time_one<Bfloat16>(all[0], AttentionKernels::plain, 5);
  time_one<float>(all[0], AttentionKernels::plain, 5);
}

int run(const std::string& what) {
  std::printf("%s\n", cuda::properties().description().c_str());
  if (what != "time") check_all();
  if (what != "check") time_all();
  return failed ? 1 : 0;
}

}  // namespace
}  // namespace ink

int main(int count, char** arguments) {
  try {
    return ink::run(count > 1 ? arguments[1] : "");
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
