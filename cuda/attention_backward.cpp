// Launches the backward kernels of attention: first dq's, which leaves what dk's and dv's needs.
#include "cuda/attention_backward.cuh"

#include "cuda/attention_launch.cuh"
#include "tensor/tensor.h"

namespace ink::cuda {
namespace {

// Chosen so that nothing spills: the mask of dropout needs registers of its own. Blocks need at
// most 97 KiB of shared memory, as devices below sm_90 have no more.
template <int kHeadSize, bool kDropout>
struct QueryTilesFor;
template <>
struct QueryTilesFor<32, false> : BackwardTiles<32, 4, 2, 64, 32, 2, 2, 3> {};
template <>
struct QueryTilesFor<64, false> : BackwardTiles<64, 4, 2, 64, 32, 4, 4, 2> {};
template <>
struct QueryTilesFor<128, false> : BackwardTiles<128, 4, 2, 32, 32, 0, 0, 2> {};
template <>
struct QueryTilesFor<32, true> : BackwardTiles<32, 4, 2, 64, 32, 2, 2, 2> {};
template <>
struct QueryTilesFor<64, true> : BackwardTiles<64, 4, 2, 64, 32, 3, 4, 2> {};
template <>
struct QueryTilesFor<128, true> : BackwardTiles<128, 4, 2, 32, 16, 1, 1, 2> {};

template <int kHeadSize, bool kDropout>
struct KeyTilesFor;
template <>
struct KeyTilesFor<32, false> : BackwardTiles<32, 4, 2, 64, 32, 2, 2, 2> {};
template <>
struct KeyTilesFor<64, false> : BackwardTiles<64, 4, 2, 64, 32, 0, 0, 2> {};
template <>
struct KeyTilesFor<128, false> : BackwardTiles<128, 8, 1, 32, 16, 7, 8, 1> {};
template <>
struct KeyTilesFor<32, true> : BackwardTiles<32, 4, 2, 64, 32, 2, 2, 2> {};
template <>
struct KeyTilesFor<64, true> : BackwardTiles<64, 4, 2, 64, 16, 0, 0, 2> {};
template <>
struct KeyTilesFor<128, true> : BackwardTiles<128, 8, 1, 32, 16, 8, 8, 1> {};

template <class T>
struct Call {
  PackedAttention<T> in;
  Rows<const T> out;
  const float* log_sum;
  Rows<const T> dout;
  Rows<T> dq, dk, dv;
};

template <class T, int kHeadSize, bool kDropout>
void run_fast(const Call<T>& c) {
  using Queries = QueryTilesFor<kHeadSize, kDropout>;
  using Keys = KeyTilesFor<kHeadSize, kDropout>;
  Tensor room({c.in.heads, pairs_of(c.in.rows, c.in.sequences), 4}, Dtype::f32, Device::cuda);
  auto* statistics = reinterpret_cast<PairStatistics*>(room.data<float>());
  launch("attention_query_gradient", attention_query_gradient_kernel<T, Queries, kDropout>,
         grid_of<Queries::kRows>(c.in, Queries::kThreads, Queries::kShared), c.in, c.out, c.log_sum,
         c.dout, statistics, c.dq);
  if (!c.dk.data && !c.dv.data) return;
  launch("attention_key_gradient", attention_key_gradient_kernel<T, Keys, kDropout>,
         grid_of<Keys::kRows>(c.in, Keys::kThreads, Keys::kShared + Keys::kStatistics), c.in,
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

}  // namespace

template <class T>
void attention_backward(const AttentionInput<T>& in, int64_t rows, Rows<const T> out,
                        const float* log_sum, Rows<const T> dout, Rows<T> dq, Rows<T> dk,
                        Rows<T> dv, AttentionKernels kernels) {
  const Call<T> call{packed(in, rows), out, log_sum, dout, dq, dk, dv};
  if constexpr (sizeof(T) == 2) {
    if (fits_tensor_cores(in, kernels, out, dout, dq, dk, dv)) {
      return with_head_size(in.head_size, FastHeadSizes{}, [&](auto size) {
        if (call.in.threshold > 0) return run_fast<T, size(), true>(call);
        run_fast<T, size(), false>(call);
      });
    }
  }
  with_head_size(in.head_size, PlainHeadSizes{},
                 [&](auto size) { run_plain<T, PlainTilesFor<size()>>(call); });
}

#define INK_INSTANTIATE(T)                                                                         \
  template void attention_backward(const AttentionInput<T>&, int64_t, Rows<const T>, const float*, \
                                   Rows<const T>, Rows<T>, Rows<T>, Rows<T>, AttentionKernels);
INK_INSTANTIATE(float)
INK_INSTANTIATE(Float16)
INK_INSTANTIATE(Bfloat16)
#undef INK_INSTANTIATE

}  // namespace ink::cuda
