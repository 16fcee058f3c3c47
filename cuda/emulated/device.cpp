// The emulated device, as the runtime describes it: one of compute capability 9.0.
#include "cuda/emulated/arena.h"
#include "cuda/emulated/scheduler.h"
#include "cuda/emulated/status.h"

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return reported(cudaSuccess);
}

cudaError_t cudaSetDevice(int device) {
  return reported(device == 0 ? cudaSuccess : cudaErrorInvalidDevice);
}

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return reported(cudaSuccess);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return reported(cudaErrorInvalidDevice);
  *properties = {.name = "emulated device",
                 .totalGlobalMem = Arena::kBytes,
                 .sharedMemPerBlock = SharedMemory::kStatic,
                 .sharedMemPerBlockOptin = SharedMemory::kAll,
                 .major = 9,
                 .minor = 0,
                 .multiProcessorCount = 4,
                 .maxThreadsPerBlock = kMostThreads,
                 .warpSize = kLanes};
  return reported(cudaSuccess);
}

cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) {
  return reported(cudaSuccess);
}
