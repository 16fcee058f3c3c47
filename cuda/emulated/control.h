// What tests make the emulated device do.
#pragma once
#include <cstdint>

#include <cuda_runtime.h>

namespace ink::cuda::emulated {

// The order in which the threads of a block take their turns: 0 is ascending; any other seed
// shuffles it anew between every two barriers. A correct kernel computes the same bits under all.
void set_thread_order(uint64_t seed);

// The nth cudaMalloc from now finds no memory; 0: none does.
void fail_allocation(int nth);

// As after a failure inside a kernel: every call and launch reports it, until cudaSuccess is given.
void fail_device(cudaError_t status);

}  // namespace ink::cuda::emulated
