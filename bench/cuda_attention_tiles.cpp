// Attention's kernels with other tiles than the library's: which are fastest on this device.
//
//   cuda_attention_tiles          bf16, head sizes 64 and 128, 512 and 4096 tokens
//
// A line per kernel and tiles: microseconds, TFLOP/s of the products it computes (forward 2, dq 3,
// dk and dv 4 of 2·T²·D each), and PASS when the result has the same sum as the first tiles' to
// rounding.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "bench/device_time.h"
#include "cuda/attention_backward.cuh"
#include "cuda/attention_forward.cuh"
#include "cuda/attention_launch.cuh"
#include "cuda/runtime.h"
#include "cuda/stream.h"
#include "tensor/op.h"
#include "tensor/ops.h"

namespace ink::cuda {
namespace {

using T = Bfloat16;

struct Setting {
  int64_t sequences, length, heads, head_size;
  Tensor inputs, dout, offsets, out, log_sum, statistics, gradient, other_gradient;

  Setting(int64_t b, int64_t t, int64_t h, int64_t d)
      : sequences(b), length(t), heads(h), head_size(d) {
    const int64_t N = b * t, C = h * d;
    const auto random = [](Shape shape, uint64_t seed) {
      return to(converted(randn(shape, seed, Dtype::f32), Dtype::bf16), Device::cuda);
    };
    inputs = random({N, 3 * C}, 1), dout = random({N, C}, 2);
    std::vector<int32_t> starts;
    for (int64_t i = 0; i <= b; ++i) starts.push_back(static_cast<int32_t>(i * t));
    offsets = to(from(starts), Device::cuda);
    for (Tensor* x : {&out, &gradient, &other_gradient})
      *x = zeros({N, C}, Dtype::bf16, Device::cuda);
    log_sum = Tensor({N, h}, Dtype::f32, Device::cuda);
    statistics = Tensor({h, pairs_of(N, b), 4}, Dtype::f32, Device::cuda);
  }
  PackedAttention<T> problem() const {
    const int64_t C = heads * head_size;
    const T* x = inputs.data<T>();
    return packed<T>({.q = {x, 3 * C},
                      .k = {x + C, 3 * C},
                      .v = {x + 2 * C, 3 * C},
                      .offsets = {offsets.data<int32_t>(), static_cast<size_t>(sequences + 1)},
                      .heads = heads,
                      .head_size = head_size,
                      .scale = 1 / std::sqrt(static_cast<double>(head_size))},
                     sequences * length);
  }
  Rows<T> rows(Tensor& x) const { return {x.data<T>(), heads * head_size}; }
  double product_flops() const {
    const auto t = static_cast<double>(length);
    return 2 * t * t * static_cast<double>(sequences * heads * head_size);
  }
};

double size_of_result(const Tensor& x) {
  const Tensor host = converted(to(x, Device::cpu), Dtype::f32);
  double sum = 0;
  for (int64_t i = 0; i < host.size(); ++i) sum += std::abs(host.data<float>()[i]);
  return sum;
}

// Times one kernel; the result is in s.gradient.
template <class F>
void line(Setting& s, const char* kernel, const char* tiles, int products, double& expected,
          const F& f) {
  const double seconds = median_seconds(20, [&](size_t) { f(); }), got = size_of_result(s.gradient);
  if (expected == 0) expected = got;
  const bool same = std::abs(got - expected) <= 1e-4 * expected;
  std::printf("%-8s D %3d T %4d  %-42s %8.1f us %7.1f TFLOP/s %s\n", kernel,
              static_cast<int>(s.head_size), static_cast<int>(s.length), tiles, seconds * 1e6,
              products * s.product_flops() / seconds * 1e-12, same ? "PASS" : "FAIL");
}

template <class Tiles>
void time_forward(Setting& s, const char* tiles, double& expected) {
  const auto in = s.problem();
  line(s, "forward", tiles, 2, expected, [&] {
    launch("attention_forward", attention_forward_kernel<T, Tiles, false>,
           grid_of<Tiles::kQueries>(in, Tiles::kThreads, Tiles::kShared), in, s.rows(s.gradient),
           s.log_sum.data<float>());
  });
}

template <class Tiles>
void time_queries(Setting& s, const char* tiles, double& expected) {
  const auto in = s.problem();
  const int64_t C = s.heads * s.head_size;
  line(s, "dq", tiles, 3, expected, [&] {
    launch("attention_query_gradient", attention_query_gradient_kernel<T, Tiles, false>,
           grid_of<Tiles::kRows>(in, Tiles::kThreads, Tiles::kShared), in,
           Rows<const T>{s.out.data<T>(), C}, s.log_sum.data<float>(),
           Rows<const T>{s.dout.data<T>(), C},
           reinterpret_cast<PairStatistics*>(s.statistics.data<float>()), s.rows(s.gradient));
  });
}

template <class Tiles>
void time_keys(Setting& s, const char* tiles, double& expected) {
  const auto in = s.problem();
  const int64_t C = s.heads * s.head_size;
  line(s, "dk, dv", tiles, 4, expected, [&] {
    launch("attention_key_gradient", attention_key_gradient_kernel<T, Tiles, false>,
           grid_of<Tiles::kRows>(in, Tiles::kThreads, Tiles::kShared + Tiles::kStatistics), in,
           Rows<const T>{s.dout.data<T>(), C},
           reinterpret_cast<const PairStatistics*>(s.statistics.data<float>()), s.rows(s.gradient),
           s.rows(s.other_gradient));
  });
}

#define INK_TIME(kernel, ...) time_##kernel<__VA_ARGS__>(s, #__VA_ARGS__, expected)

void run_64(Setting s) {
  double expected = 0;
  INK_TIME(forward, ForwardTiles<64, 4, 2, 32, 4, 3>);
  INK_TIME(forward, ForwardTiles<64, 4, 2, 32, 4, 2>);
  INK_TIME(forward, ForwardTiles<64, 4, 2, 64, 4, 2>);
  INK_TIME(forward, ForwardTiles<64, 8, 1, 64, 4, 2>);
  INK_TIME(forward, ForwardTiles<64, 4, 1, 64, 4, 4>);
  copy_into(s.out, s.gradient);
  expected = 0;
  INK_TIME(queries, BackwardTiles<64, 4, 2, 64, 32, 4, 4, 2>);
  INK_TIME(queries, BackwardTiles<64, 4, 2, 64, 32, 0, 0, 2>);
  INK_TIME(queries, BackwardTiles<64, 4, 2, 64, 16, 4, 4, 2>);
  INK_TIME(queries, BackwardTiles<64, 4, 2, 32, 32, 4, 4, 2>);
  INK_TIME(queries, BackwardTiles<64, 4, 2, 64, 16, 0, 0, 3>);
  INK_TIME(queries, BackwardTiles<64, 4, 1, 64, 32, 4, 4, 3>);
  expected = 0;
  INK_TIME(keys, BackwardTiles<64, 4, 2, 64, 16, 3, 4, 2>);
  INK_TIME(keys, BackwardTiles<64, 4, 2, 64, 16, 0, 0, 2>);
  INK_TIME(keys, BackwardTiles<64, 4, 2, 64, 16, 4, 4, 2>);
  INK_TIME(keys, BackwardTiles<64, 4, 2, 64, 32, 0, 0, 2>);
  INK_TIME(keys, BackwardTiles<64, 8, 1, 64, 32, 4, 4, 1>);
  INK_TIME(keys, BackwardTiles<64, 4, 1, 64, 32, 4, 4, 3>);
}

void run_128(Setting s) {
  double expected = 0;
  INK_TIME(forward, ForwardTiles<128, 4, 2, 32, 2, 2>);
  INK_TIME(forward, ForwardTiles<128, 4, 2, 64, 0, 2>);
  INK_TIME(forward, ForwardTiles<128, 8, 1, 64, 8, 1>);
  INK_TIME(forward, ForwardTiles<128, 4, 1, 32, 8, 3>);
  copy_into(s.out, s.gradient);
  expected = 0;
  INK_TIME(queries, BackwardTiles<128, 4, 2, 32, 32, 0, 0, 2>);
  INK_TIME(queries, BackwardTiles<128, 4, 2, 32, 16, 1, 1, 2>);
  INK_TIME(queries, BackwardTiles<128, 4, 1, 32, 32, 8, 8, 2>);
  INK_TIME(queries, BackwardTiles<128, 8, 1, 64, 32, 8, 8, 1>);
  expected = 0;
  INK_TIME(keys, BackwardTiles<128, 8, 1, 32, 16, 8, 8, 1>);
  INK_TIME(keys, BackwardTiles<128, 8, 1, 64, 16, 8, 8, 1>);
  INK_TIME(keys, BackwardTiles<128, 8, 1, 64, 32, 0, 0, 1>);
  INK_TIME(keys, BackwardTiles<128, 4, 1, 32, 16, 8, 8, 2>);
}
#undef INK_TIME

}  // namespace
}  // namespace ink::cuda

int main() {
  try {
    std::printf("%s\n", ink::cuda::properties().description().c_str());
    for (const auto& [sequences, length] : {std::pair{32, 512}, {8, 4096}}) {
      ink::cuda::run_64({sequences, length, 12, 64});
      ink::cuda::run_128({sequences, length, 6, 128});
    }
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 2;
  }
}
