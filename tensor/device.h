// Device: where a tensor's memory lies and its ops run; and what a device other than the host is
// for tensors.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "tensor/allocator.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

// Functions that a kernel of any device may call.
#if defined(__CUDACC__)
#define INK_BOTH __host__ __device__
#else
#define INK_BOTH
#endif

namespace ink {

enum class Device : uint8_t { cpu, cuda };

const char* name_of(Device d);                // "cpu", "cuda"
Device device_from(const std::string& name);  // anything else is an Error

// Work that was recorded once and is done again by each replay() (cuda/graph.h).
class Recorded {
 public:
  virtual ~Recorded() = default;
  virtual void replay() = 0;
};

// Memory of a device, and the order of what happens there: everything, kernels included, happens
// in the order in which it was asked for, without the host waiting for it.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual Allocator& allocator() = 0;
  virtual AllocatorStatistics statistics() = 0;
  // The host's memory may be changed as soon as upload returns. download waits until it is filled.
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  // Inside the device; copy_strided writes row-major memory, convert n elements of another type.
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  virtual void copy_strided(void* to, const void* from, const Shape& shape, const Strides& strides,
                            size_t element_bytes) = 0;
  virtual void convert(void* to, Dtype to_type, const void* from, Dtype from_type, int64_t n) = 0;
  virtual void clear(void* device, size_t bytes) = 0;  // all bytes 0
  // On: algorithms of products are chosen by timing them where a shape is first seen, so that the
  // last bits may differ between processes (cuda/gemm.h). Off at first.
  virtual void tune(bool on) = 0;
  // Does the work, and records it: what it may do, and what a replay does, is in cuda/graph.h. It
  // uses the memory of `beside` too, where that is given.
  virtual std::unique_ptr<Recorded> record(const std::function<void()>& work,
                                           const Recorded* beside = nullptr) = 0;
  virtual bool recording() = 0;  // whether this thread's work is recorded now rather than done
  // Waits for everything asked for so far; an Error of a kernel shows here at the latest.
  virtual void synchronize() = 0;
};

// Raises Error saying why when this build or this machine has no CUDA device (cuda/).
Backend& cuda_backend();

// Of any device; the host's is pool().
Allocator& allocator_of(Device d);

}  // namespace ink
