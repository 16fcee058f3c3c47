// How many blocks a launch bound asks for on each architecture.
#pragma once

namespace ink::cuda {

// So many on sm_90, for which kernels are tuned. What other compilers make of the same source needs
// more registers, which would spill.
constexpr int blocks_bound(int on_sm_90) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ != 900
  return on_sm_90 > 2 ? on_sm_90 - 2 : 1;
#else
  return on_sm_90;
#endif
}

}  // namespace ink::cuda
