// Row-wise kernels on the CUDA device: bytes a second, and the share of a copy's in the same run.
//
//   cuda_rows [f32 | f16 | bf16]
//
// Bytes are those that an op has to move at least: every tensor that it reads or writes, once.
// Tensors are larger than any cache. A time is that of all kernels of the op but products, by
// events around each; medians.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "bench/device_time.h"
#include "cuda/kernel_times.h"
#include "cuda/runtime.h"
#include "tensor/ops.h"

namespace ink {
namespace {

constexpr size_t kRepeats = 15;
constexpr int64_t kElements = int64_t{192} << 20;

struct Case {
  const char* name;
  std::vector<Tensor> in;
  std::function<Tensor(const std::vector<Tensor>&)> call;
  double forward, backward;  // bytes; 0: nothing to time
};

// Seconds of the kernels that f() asks for.
template <class F>
double kernel_seconds(const F& f) {
  const cuda::KernelTimes times;
  f();
  double sum = 0;
  for (const auto& line : times.lines()) {
    if (line.name.find("×") == std::string::npos) sum += line.microseconds * 1e-6;
  }
  return sum;
}

double median(std::vector<double> x) {
  std::ranges::sort(x);
  return x[x.size() / 2];
}

void print_line(const char* name, const char* what, double bytes, double seconds, double copy) {
  if (bytes == 0) return;
  std::printf("%-28s %-9s %9.1f us %8.2f TB/s %6.2f of a copy\n", name, what, 1e6 * seconds,
              1e-12 * bytes / seconds, bytes / seconds / copy);
}

void time_case(const Case& c, double copy) {
  std::vector<double> forward, backward;
  for (size_t i = 0; i < kRepeats; ++i) {
    std::vector<Tensor> in = c.in;
    Tape tape;
    for (Tensor& x : in) {
      if (is_float(x.dtype())) tape.watch(x);
    }
    Tensor y;
    forward.push_back(kernel_seconds([&] { y = c.call(in); }));
    if (c.backward == 0) continue;
    const Tensor dy = y.rank() > 0 ? c.in[0].shape() == y.shape() ? c.in[0] : clone(y) : Tensor();
    backward.push_back(kernel_seconds([&] { dy ? tape.backward(y, dy) : tape.backward(y); }));
  }
  print_line(c.name, "forward", c.forward, median(forward), copy);
  if (c.backward > 0) print_line(c.name, "backward", c.backward, median(backward), copy);
}

// Bytes a second of the runtime's own copy, read and written.
double copy_rate(const Tensor& x) {
  Tensor y = empty_like(x);
  const auto bytes = static_cast<size_t>(x.size()) * size_of(x.dtype());
  const double seconds = median_seconds(kRepeats, [&](size_t) {
    cuda_backend().copy(y.storage()->data(), x.storage()->data(), bytes);
  });
  return 2 * static_cast<double>(bytes) / seconds;
}

Tensor on_device(Shape shape, Dtype dtype, uint64_t seed) {
  return converted(to(rand_uniform(shape, seed, -2, 2, Dtype::f32), Device::cuda), dtype);
}

std::vector<Case> cases(Dtype dtype) {
  const int64_t C = 768, N = kElements / C, F = 3072, M = kElements / F, V = 21128,
                L = kElements / V;
  const auto x = on_device({N, C}, dtype, 1), wide = reshape(x, {M, F});
  const auto logits = reshape(slice(reshape(x, {-1}), 0, 0, L * V), {L, V});
  const auto gamma = on_device({C}, dtype, 2), beta = on_device({C}, dtype, 3);
  const auto weight = on_device({F, 64}, dtype, 4), bias = on_device({F}, dtype, 5);
  const double all = static_cast<double>(kElements) * static_cast<double>(size_of(dtype));
  const double of_logits = static_cast<double>(L * V) * static_cast<double>(size_of(dtype));
  const Tensor labels = randint({L}, 6, 0, V);
  return {
      {"add", {x, clone(x)}, [](auto& in) { return add(in[0], in[1]); }, 3 * all, 0},
      {"gelu", {wide}, [](auto& in) { return gelu(in[0]); }, 2 * all, 3 * all},
      {"linear's gelu and bias",
       {on_device({M, 64}, dtype, 7), weight, bias},
       [](auto& in) { return linear(in[0], in[1], in[2], Activation::gelu); },
       2 * all,
       3 * all},
      {"dropout", {x}, [](auto& in) { return dropout(in[0], 0.1, Random(1)); }, 2 * all, 2 * all},
      {"layer_norm",
       {x, gamma, beta},
       [](auto& in) { return layer_norm(in[0], in[1], in[2]); },
       2 * all,
       3 * all},
      {"residual_layer_norm",
       {x, clone(x), gamma, beta},
       [](auto& in) { return residual_layer_norm(in[0], in[1], in[2], in[3]); },
       3 * all,
       4 * all},
      {"softmax", {x}, [](auto& in) { return softmax(in[0]); }, 2 * all, 3 * all},
      {"sum over rows", {x}, [](auto& in) { return sum(in[0], 0); }, all, 0},
      {"cross_entropy",
       {logits},
       [labels](auto& in) { return cross_entropy(in[0], labels); },
       of_logits,
       2 * of_logits}};
}

void run(Dtype dtype) {
  const double copy = copy_rate(on_device({kElements}, dtype, 1));
  std::printf("copy of %s: %.2f TB/s, read and written\n", name_of(dtype), 1e-12 * copy);
  for (const Case& c : cases(dtype)) time_case(c, copy);
}

}  // namespace
}  // namespace ink

int main(int argc, char** argv) {
  try {
    ink::run(argc > 1 ? ink::dtype_from(argv[1]) : ink::Dtype::bf16);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cuda_rows: %s\n", error.what());
    return 1;
  }
  return 0;
}
