// Launches the backward kernels of attention: first dq's, which leaves what dk's and dv's needs.
#include "cuda/attention_backward.cuh"

#include "cuda/attention_launch.cuh"
#include "tensor/tensor.h"

namespace ink::cuda {
namespace {

template <int kHeadSize>
struct QueryTilesFor;
template <>
struct QueryTilesFor<32> : BackwardTiles<32, 4, 2, 64, 32, true, 2> {};
template <>
struct QueryTilesFor<64> : BackwardTiles<64, 4, 2, 64, 32, true, 2> {};
template <>
struct QueryTilesFor<128> : BackwardTiles<128, 4, 2, 64, 32, false, 2> {};

template <int kHeadSize>
struct KeyTilesFor;
template <>
struct KeyTilesFor<32> : BackwardTiles<32, 4, 2, 64, 32, true, 2> {};
template <>
struct KeyTilesFor<64> : BackwardTiles<64, 4, 2, 64, 32, false, 2> {};
template <>
struct KeyTilesFor<128> : BackwardTiles<128, 8, 1, 64, 16, true, 1> {};

template <class T>
struct Call {
  PackedAttention<T> in;
  Rows<const T> out;
  const float* log_sum;
  Rows<const T> dout;
  Rows<T> dq, dk, dv;
};

template <class T, class Tiles>
void run_query_gradient(const Call<T>& c, RowStatistics* statistics) {
  const auto kernel = c.in.threshold > 0 ? attention_query_gradient_kernel<T, Tiles, true>
                                         : attention_query_gradient_kernel<T, Tiles, false>;
  launch("attention_query_gradient", kernel,
         grid_of<Tiles::kRows>(c.in, Tiles::kThreads, Tiles::kShared), c.in, c.out, c.log_sum,
         c.dout, statistics, c.dq);
}

template <class T, class Tiles>
void run_key_gradient(const Call<T>& c, const RowStatistics* statistics) {
  const auto kernel = c.in.threshold > 0 ? attention_key_gradient_kernel<T, Tiles, true>
                                         : attention_key_gradient_kernel<T, Tiles, false>;
  launch("attention_key_gradient", kernel,
         grid_of<Tiles::kRows>(c.in, Tiles::kThreads, Tiles::kShared + Tiles::kStatistics), c.in,
         c.dout, statistics, c.dk, c.dv);
}

template <class T, class Tiles>
void run_plain(const Call<T>& c) {
  Tensor deltas({c.in.rows, c.in.heads}, Dtype::f32, Device::cuda);
  float* delta = deltas.data<float>();
  launch("plain_query_gradient", plain_query_gradient_kernel<T, Tiles>,
         grid_of<Tiles::kTile>(c.in, Tiles::kThreads, Tiles::shared(4, 1)), c.in, c.out, c.log_sum,
         c.dout, delta, c.dq);
  if (!c.dk.data && !c.dv.data) return;
  launch("plain_key_gradient", plain_key_gradient_kernel<T, Tiles>,
         grid_of<Tiles::kTile>(c.in, Tiles::kThreads, Tiles::shared(4, 2)), c.in, c.log_sum, c.dout,
         delta, c.dk, c.dv);
}

template <class T>
void run_fast(const Call<T>& c, int64_t head_size) {
  const int64_t size = statistics_size(c.in.rows, c.in.sequences);
  Tensor room({c.in.heads, size, 2}, Dtype::f32, Device::cuda);
  auto* statistics = reinterpret_cast<RowStatistics*>(room.data<float>());
  with_head_size(head_size, FastHeadSizes{}, [&](auto d) {
    run_query_gradient<T, QueryTilesFor<d()>>(c, statistics);
    if (c.dk.data || c.dv.data) run_key_gradient<T, KeyTilesFor<d()>>(c, statistics);
  });
}

}  // namespace

template <class T>
void attention_backward(const AttentionInput<T>& in, int64_t rows, Rows<const T> out,
                        const float* log_sum, Rows<const T> dout, Rows<T> dq, Rows<T> dk,
                        Rows<T> dv, AttentionKernels kernels) {
  const Call<T> call{packed(in, rows), out, log_sum, dout, dq, dk, dv};
  if constexpr (sizeof(T) == 2) {
    if (fits_tensor_cores(in, kernels, out, dout, dq, dk, dv)) return run_fast(call, in.head_size);
  }
  with_head_size(in.head_size, PlainHeadSizes{},
                 [&](auto d) { run_plain<T, PlainTilesFor<d()>>(call); });
}

#define INK_INSTANTIATE(T)                                                                         \
  template void attention_backward(const AttentionInput<T>&, int64_t, Rows<const T>, const float*, \
                                   Rows<const T>, Rows<T>, Rows<T>, Rows<T>, AttentionKernels);
INK_INSTANTIATE(float)
INK_INSTANTIATE(Float16)
INK_INSTANTIATE(Bfloat16)
#undef INK_INSTANTIATE

}  // namespace ink::cuda
