// What the runtime's calls report.
#pragma once
#include <cuda_runtime.h>

namespace ink::cuda::emulated {

// `status`, kept for cudaGetLastError when it is a failure; or what an earlier kernel's failure
// makes every call report.
cudaError_t reported(cudaError_t status);

}  // namespace ink::cuda::emulated
