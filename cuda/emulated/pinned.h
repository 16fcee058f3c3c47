// Pinned memory of the host, which kernels may read and write, and the copies to the device from
// there. The device may make such a copy as late as when the host waits for it: until then the
// host's bytes may not change.
#pragma once
#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

namespace ink::cuda::emulated {

void add_pinned(void* p, size_t bytes);
bool remove_pinned(void* p);  // false: none begins there
bool in_pinned(const void* p);

// Notes a copy, where it is one from pinned memory. False: bytes of an earlier one have changed
// although nobody has waited for it.
bool note_copy(const void* from, size_t bytes, cudaStream_t stream);
uint64_t copies_noted();
// The host has waited for this stream's copies among the first `count`.
void copies_are_made(cudaStream_t stream, uint64_t count);

}  // namespace ink::cuda::emulated
