// Failures: those of a call, and those of the device, which every later call reports.
#include "cuda/emulated/status.h"

#include <atomic>

#include "cuda/emulated/control.h"

namespace ink::cuda::emulated {
namespace {

thread_local cudaError_t last = cudaSuccess;
std::atomic<cudaError_t> of_device = cudaSuccess;

}  // namespace

void fail_device(cudaError_t status) {
  of_device = status;
  last = cudaSuccess;
}

cudaError_t reported(cudaError_t status) {
  if (of_device != cudaSuccess) status = of_device;
  if (status != cudaSuccess) last = status;
  return status;
}

}  // namespace ink::cuda::emulated

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)

cudaError_t cudaPeekAtLastError() { return reported(last); }

cudaError_t cudaGetLastError() {
  const cudaError_t status = cudaPeekAtLastError();
  last = cudaSuccess;
  return status;
}

namespace {

struct Description {
  cudaError_t status;
  const char *name, *text;
};
constexpr Description kDescriptions[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
};

}  // namespace

const char* cudaGetErrorName(cudaError_t status) {
  for (const auto& d : kDescriptions) {
    if (d.status == status) return d.name;
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t status) {
  for (const auto& d : kDescriptions) {
    if (d.status == status) return d.text;
  }
  return "unrecognized error code";
}
