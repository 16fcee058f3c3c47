// The emulated devices, as the runtime describes them: of compute capability 9.0. There is one, or
// as many as the environment's INK_EMULATED_DEVICES says; the memory of a process serves all.
#include <cstdio>
#include <cstdlib>

#include "cuda/emulated/arena.h"
#include "cuda/emulated/scheduler.h"
#include "cuda/emulated/status.h"

namespace {

thread_local int current = 0;

int devices() {
  const char* const said = std::getenv("INK_EMULATED_DEVICES");
  return said ? std::atoi(said) : 1;
}

bool exists(int device) { return device >= 0 && device < devices(); }

}  // namespace

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)

cudaError_t cudaGetDeviceCount(int* count) {
  *count = devices();
  return reported(cudaSuccess);
}

cudaError_t cudaSetDevice(int device) {
  if (!exists(device)) return reported(cudaErrorInvalidDevice);
  current = device;
  return reported(cudaSuccess);
}

cudaError_t cudaGetDevice(int* device) {
  *device = current;
  return reported(cudaSuccess);
}

cudaError_t cudaDeviceGetPCIBusId(char* address, int bytes, int device) {
  if (!exists(device)) return reported(cudaErrorInvalidDevice);
  std::snprintf(address, static_cast<size_t>(bytes), "0000:%02x:00.0",
                static_cast<unsigned>(device));
  return reported(cudaSuccess);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (!exists(device)) return reported(cudaErrorInvalidDevice);
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
