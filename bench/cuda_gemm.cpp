// Products of a BERT-base encoder and its training step on the CUDA device, in TFLOP/s.
//
// For a linear layer of N outputs on M rows of K: y = x Wᵀ + b, dx = dz W, dW = dzᵀ x, and dW with
// db = Σ dz in the same call; by cuBLASLt's first algorithm, and by the fastest of those it
// proposes
// (tune_products). Then the passes around them: column sums and activations, in GB/s. Times are
// medians between events on the stream; calls take turns on several sets of operands, so that the
// cache does not hold them all.
#include <algorithm>
#include <cstdio>
#include <vector>

#include "autograd/tape.h"
#include "bench/device_time.h"
#include "cuda/column_sums.cuh"
#include "cuda/gemm.h"
#include "cuda/runtime.h"
#include "cuda/stream.h"
#include "tensor/ops.h"

namespace ink {
namespace {

struct Layer {
  int64_t M, K, N;
};
constexpr Layer kLayers[] = {{4096, 768, 768},   {4096, 768, 2304},  {4096, 768, 3072},
                             {4096, 3072, 768},  {16384, 768, 768},  {16384, 768, 2304},
                             {16384, 768, 3072}, {16384, 3072, 768}, {640, 768, 21128}};

// Random numbers on the device: a block of them from the host, over and over.
Tensor numbers(const Shape& shape, Dtype dtype) {
  static const Tensor block = to(randn({1 << 20}, 1, Dtype::f32), Device::cuda);
  const Tensor typed = converted(block, dtype);
  Tensor x(shape, dtype, Device::cuda);
  for (int64_t at = 0; at < x.size(); at += block.size()) {
    const int64_t n = std::min(block.size(), x.size() - at);
    Tensor part = view(x, {n}, {1}, at);
    copy_into(part, view(typed, {n}, {1}, 0));
  }
  return x;
}

// What a layer's products read and write.
template <class T>
struct Operands {
  Layer size;
  Tensor x, weight, bias, y, dx, dweight, dbias;

  explicit Operands(const Layer& l)
      : size(l),
        x(numbers({l.M, l.K}, dtype_of<T>)),
        weight(numbers({l.N, l.K}, dtype_of<T>)),
        bias(numbers({l.N}, dtype_of<T>)),
        y(numbers({l.M, l.N}, dtype_of<T>)),
        dx(empty_like(x)),
        dweight(empty_like(weight)),
        dbias(empty_like(bias)) {}

  const T* in(const Tensor& t) const { return t.data<T>(); }
  void forward() {
    cuda::gemm(size.M, size.N, size.K, cuda::Factor(in(x), size.K),
               cuda::Factor(in(weight), size.K, true), cuda::Result(y.data<T>(), size.N),
               {.bias = in(bias)});
  }
  void input_gradient() {
    cuda::gemm(size.M, size.K, size.N, cuda::Factor(in(y), size.N),
               cuda::Factor(in(weight), size.K), cuda::Result(dx.data<T>(), size.K));
  }
  void weight_gradient(void* row_sums) {
    cuda::gemm(size.N, size.K, size.M, cuda::Factor(in(y), size.N, true),
               cuda::Factor(in(x), size.K), cuda::Result(dweight.data<T>(), size.K),
               {.row_sums = row_sums});
  }
};

template <class T>
void time_layer(const char* type, const Layer& l) {
  const int64_t bytes = (2 * l.M * (l.K + l.N) + 2 * l.N * l.K) * static_cast<int64_t>(sizeof(T));
  std::vector<Operands<T>> sets;
  for (int64_t i = 0; i < std::clamp<int64_t>((int64_t{200} << 20) / bytes, 1, 6); ++i)
    sets.emplace_back(l);
  const double flops =
      2 * static_cast<double>(l.M) * static_cast<double>(l.N) * static_cast<double>(l.K);
  const auto rate = [&](const auto& product) {
    return flops / median_seconds(9, [&](size_t i) { product(sets[i % sets.size()]); }) * 1e-12;
  };
  std::printf("%-4s %6lld %5lld %6lld", type, static_cast<long long>(l.M),
              static_cast<long long>(l.K), static_cast<long long>(l.N));
  for (const bool tuned : {false, true}) {
    cuda::tune_products(tuned);
    std::printf("  |%6.0f %6.0f %6.0f %6.0f", rate([](auto& s) { s.forward(); }),
                rate([](auto& s) { s.input_gradient(); }),
                rate([](auto& s) { s.weight_gradient(nullptr); }),
                rate([](auto& s) { s.weight_gradient(s.dbias.template data<T>()); }));
  }
  cuda::tune_products(false);
  std::printf("\n");
}

void time_products() {
  std::printf("%-23s  |%-27s  |%s\n", "", " first of the list", " tuned");
  std::printf(
      "type      M     K      N  |     y     dx     dW  dW,db  |     y     dx     dW  dW,db\n");
  for (const Layer& l : kLayers) time_layer<Bfloat16>("bf16", l);
  for (const Layer& l : kLayers) time_layer<Float16>("f16", l);
  for (const Layer& l : kLayers) time_layer<float>("f32", l);
  cuda::allow_tf32(true);
  for (const Layer& l : kLayers) time_layer<float>("tf32", l);
  cuda::allow_tf32(false);
}

void report(const char* what, double seconds, int64_t bytes) {
  std::printf("%-44s %8.1f µs", what, seconds * 1e6);
  if (bytes) std::printf("  %6.0f GB/s", static_cast<double>(bytes) / seconds * 1e-9);
  std::printf("\n");
}

// What linear does beside its products, on bf16.
void time_passes() {
  constexpr int64_t M = 16384, K = 768, N = 3072;
  const Tensor x = numbers({M, K}, Dtype::bf16), weight = numbers({N, K}, Dtype::bf16),
               bias = numbers({N}, Dtype::bf16), dy = numbers({M, N}, Dtype::bf16);
  Tensor sums({N}, Dtype::bf16, Device::cuda);
  report(
      "column sums of 16384x3072",
      median_seconds(
          9, [&](size_t) { cuda::column_sums(dy.data<Bfloat16>(), sums.data<Bfloat16>(), M, N); }),
      2 * M * N);
  report("gelu of 16384x3072", median_seconds(9, [&](size_t) { gelu(dy); }), 4 * M * N);
  for (const Activation f : {Activation::none, Activation::gelu}) {
    const std::string name = std::string("linear 16384x768 to 3072, ") + name_of(f);
    report(name.c_str(), median_seconds(9, [&](size_t) { linear(x, weight, bias, f); }), 0);
    std::vector<Tensor> in = {x, weight, bias};
    const double step = median_seconds(9, [&](size_t) {
      Tape tape;
      for (Tensor& t : in) tape.watch(t);
      tape.backward(linear(in[0], in[1], in[2], f), dy);
    });
    report((name + ", with backward").c_str(), step, 0);
  }
}

}  // namespace
}  // namespace ink

int main() {
  try {
    std::printf("%s; TFLOP/s\n", ink::cuda::properties().description().c_str());
    ink::time_products();
    ink::time_passes();
  } catch (const ink::Error& e) {
    std::fprintf(stderr, "cuda_gemm: %s\n", e.what());
    return 1;
  }
}
