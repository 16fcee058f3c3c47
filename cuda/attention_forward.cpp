// Launches the forward kernels of attention.
#include "cuda/attention_forward.cuh"

#include "cuda/attention_launch.cuh"

namespace ink::cuda {
namespace {

// Chosen so that nothing spills: the mask of dropout needs registers of its own.
template <int kHeadSize, bool kDropout>
struct ForwardTilesFor;
template <>
struct ForwardTilesFor<32, false> : ForwardTiles<32, 4, 2, 64, 2, 3> {};
template <>
struct ForwardTilesFor<64, false> : ForwardTiles<64, 4, 2, 32, 4, 3> {};
template <>
struct ForwardTilesFor<128, false> : ForwardTiles<128, 4, 2, 32, 2, 2> {};
template <>
struct ForwardTilesFor<32, true> : ForwardTiles<32, 4, 2, 32, 2, 3> {};
template <>
struct ForwardTilesFor<64, true> : ForwardTiles<64, 4, 2, 32, 2, 3> {};
template <>
struct ForwardTilesFor<128, true> : ForwardTiles<128, 4, 2, 32, 1, 2> {};

template <class T, int kHeadSize, bool kDropout>
void run_fast(const PackedAttention<T>& in, Rows<T> out, float* log_sum) {
  using Tiles = ForwardTilesFor<kHeadSize, kDropout>;
  launch("attention_forward", attention_forward_kernel<T, Tiles, kDropout>,
         grid_of<Tiles::kQueries>(in, Tiles::kThreads, Tiles::kShared), in, out, log_sum);
}

template <class T, class Tiles>
void run_plain(const PackedAttention<T>& in, Rows<T> out, float* log_sum) {
  launch("plain_attention", plain_attention_kernel<T, Tiles>,
         grid_of<Tiles::kTile>(in, Tiles::kThreads, Tiles::shared(3, 1)), in, out, log_sum);
}

}  // namespace

template <class T>
void attention_forward(const AttentionInput<T>& in, int64_t rows, Rows<T> out, float* log_sum,
                       AttentionKernels kernels) {
  const PackedAttention<T> on_device = packed(in, rows);
  if constexpr (sizeof(T) == 2) {
    if (fits_tensor_cores(in, kernels, out)) {
      return with_head_size(in.head_size, FastHeadSizes{}, [&](auto size) {
        if (on_device.threshold > 0) return run_fast<T, size(), true>(on_device, out, log_sum);
        run_fast<T, size(), false>(on_device, out, log_sum);
      });
    }
  }
  with_head_size(in.head_size, PlainHeadSizes{},
                 [&](auto size) { run_plain<T, PlainTilesFor<size()>>(on_device, out, log_sum); });
}

template void attention_forward(const AttentionInput<float>&, int64_t, Rows<float>, float*,
                                AttentionKernels);
template void attention_forward(const AttentionInput<Float16>&, int64_t, Rows<Float16>, float*,
                                AttentionKernels);
template void attention_forward(const AttentionInput<Bfloat16>&, int64_t, Rows<Bfloat16>, float*,
                                AttentionKernels);

}  // namespace ink::cuda
