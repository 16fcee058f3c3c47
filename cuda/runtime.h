// The CUDA runtime, with its status codes turned into Errors. In the emulated build the header
// below is cuda/emulated/toolkit/cuda_runtime.h.
#pragma once
#include <cuda_runtime.h>

#include "tensor/error.h"

namespace ink::cuda {

// Raises Error "cuda: <doing>: <what the runtime says>" unless status is success.
void expect_success(cudaError_t status, const char* doing);

}  // namespace ink::cuda
