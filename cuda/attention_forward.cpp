// Launches the forward kernels of attention.
#include "cuda/attention_forward.cuh"

#include "cuda/attention_launch.cuh"

namespace ink::cuda {
namespace {

template <int kHeadSize>
struct ForwardTilesFor;
template <>
struct ForwardTilesFor<32> : ForwardTiles<32, 4, 2, 64, true, 3> {};
template <>
struct ForwardTilesFor<64> : ForwardTiles<64, 4, 2, 32, true, 3> {};
template <>
struct ForwardTilesFor<128> : ForwardTiles<128, 4, 2, 32, false, 2> {};

template <class T, class Tiles>
void run_fast(const PackedAttention<T>& in, Rows<T> out, float* log_sum) {
  const Grid grid = grid_of<Tiles::kQueries>(in, Tiles::kThreads, Tiles::kShared);
  const auto kernel = in.threshold > 0 ? attention_forward_kernel<T, Tiles, true>
                                       : attention_forward_kernel<T, Tiles, false>;
  launch("attention_forward", kernel, grid, in, out, log_sum);
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
        run_fast<T, ForwardTilesFor<size()>>(on_device, out, log_sum);
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
