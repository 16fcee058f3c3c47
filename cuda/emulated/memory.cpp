// The runtime's memory: blocks of the arena, pinned memory of the host, copies.
#include <atomic>
#include <cstdlib>
#include <cstring>

#include "cuda/emulated/arena.h"
#include "cuda/emulated/control.h"
#include "cuda/emulated/graphs.h"
#include "cuda/emulated/pinned.h"
#include "cuda/emulated/pointers.h"
#include "cuda/emulated/status.h"
#include "cuda/emulated/streams.h"
#include "cuda/stream.h"

namespace ink::cuda::emulated {
namespace {

std::atomic<int> allocations_until_failure = 0;

bool made_to_fail() { return allocations_until_failure > 0 && --allocations_until_failure == 0; }

// Host memory may be anywhere but in the arena.
bool lies(const void* p, size_t bytes, bool on_device) {
  return on_device ? arena().usable(p, bytes) : !arena().holds(p);
}

bool in_place(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (kind == cudaMemcpyDefault) return true;
  const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  return lies(to, bytes, to_device) && lies(from, bytes, from_device);
}

}  // namespace

void fail_allocation(int nth) { allocations_until_failure = nth; }

bool kernel_may_have(const void* p) { return !p || arena().usable(p, 0) || in_pinned(p); }

}  // namespace ink::cuda::emulated

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)

cudaError_t cudaMalloc(void** p, size_t bytes) {
  const ArenaAccess access;
  *p = made_to_fail() ? nullptr : arena().allocate(bytes);
  return reported(*p ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* p) {
  const ArenaAccess access;
  wait_for_all_streams();
  return reported(!p || arena().release(p) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaMallocHost(void** p, size_t bytes) {
  *p = std::malloc(bytes);
  if (!*p) return reported(cudaErrorMemoryAllocation);
  add_pinned(*p, bytes);
  return reported(cudaSuccess);
}

cudaError_t cudaFreeHost(void* p) {
  wait_for_all_streams();
  if (!remove_pinned(p)) return reported(cudaErrorInvalidValue);
  std::free(p);
  return reported(cudaSuccess);
}

cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  const ArenaAccess access;
  *available = arena().available();
  *total = Arena::kBytes;
  return reported(cudaSuccess);
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  if (bytes == 0) return reported(cudaSuccess);
  if (noted(stream, [=] { cudaMemcpyAsync(to, from, bytes, kind, ink::cuda::stream()); }))
    return reported(cudaSuccess);
  const ArenaAccess access;
  if (!in_place(to, from, bytes, kind)) return reported(cudaErrorInvalidValue);
  // The driver may wait for the stream where memory of the host is not pinned.
  const bool waits = kind == cudaMemcpyDeviceToHost
                         ? !in_pinned(to)
                         : kind == cudaMemcpyHostToDevice && !in_pinned(from);
  if (waits && is_stuck()) return reported(cudaErrorLaunchFailure);
  const InStream in_stream(stream);
  if (!note_copy(from, bytes, stream)) return reported(cudaErrorInvalidValue);
  std::memcpy(to, from, bytes);
  return reported(cudaSuccess);
}

cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t status = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  wait_for(nullptr);
  return status;
}

cudaError_t cudaMemsetAsync(void* p, int value, size_t bytes, cudaStream_t stream) {
  if (bytes == 0) return reported(cudaSuccess);
  if (noted(stream, [=] { cudaMemsetAsync(p, value, bytes, ink::cuda::stream()); }))
    return reported(cudaSuccess);
  const ArenaAccess access;
  if (!arena().usable(p, bytes)) return reported(cudaErrorInvalidValue);
  const InStream in_stream(stream);
  std::memset(p, value, bytes);
  return reported(cudaSuccess);
}
