// The CUDA device as tensors see it.
#include <limits>

#include "cuda/allocator.h"
#include "cuda/copy.h"
#include "cuda/gemm.h"
#include "cuda/graph.h"
#include "cuda/kernel_times.h"
#include "cuda/launch.h"
#include "cuda/staging.h"
#include "cuda/stream.h"
#include "tensor/device.h"

namespace ink {
namespace cuda {
namespace {

class CudaBackend final : public Backend {
 public:
  CudaBackend() { properties(); }
  Allocator& allocator() override { return device_memory(); }
  AllocatorStatistics statistics() override { return device_statistics(); }
  void upload(void* device, const void* host, size_t bytes) override {
    if (is_recording()) return record_upload(device, host, bytes);
    staging_.upload(device, host, bytes);
  }
  void download(void* host, const void* device, size_t bytes) override {
    synchronize();  // the driver may wait inside of a copy, where nobody can break it off
    expect_success(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream()),
                   "copying from the device");
    expect_success(cudaStreamSynchronize(stream()), "copying from the device");
  }
  void copy(void* to, const void* from, size_t bytes) override {
    expect_success(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream()),
                   "copying inside the device");
  }
  void copy_strided(void* to, const void* from, const Shape& shape, const Strides& strides,
                    size_t element_bytes) override {
    cuda::copy_strided(to, from, shape, strides, element_bytes);
  }
  void convert(void* to, Dtype to_type, const void* from, Dtype from_type, int64_t n) override {
    cuda::convert(to, to_type, from, from_type, n);
  }
  void clear(void* device, size_t bytes) override {
    expect_success(cudaMemsetAsync(device, 0, bytes, stream()), "clearing memory");
  }
  void tune(bool on) override { tune_products(on); }
  std::unique_ptr<Recorded> record(const std::function<void()>& work,
                                   const Recorded* beside) override {
    return std::make_unique<Graph>(work, static_cast<const Graph*>(beside));
  }
  bool recording() override { return is_recording(); }
  void synchronize() override {
    expect_not_recording();
    const cudaError_t status = wait_for_stream();
    check(status == cudaSuccess, "cuda: ", cudaGetErrorString(status), ", found after the kernel ",
          detail::last_launched.load());
  }

 private:
  static void expect_not_recording() {
    check(!is_recording(), "cuda: work that is recorded as a graph cannot wait for the device; ",
          "read results after the replay, and keep index tensors on the host");
  }
  Staging staging_;
};

}  // namespace

std::atomic<const char*> detail::last_launched = "none";

#if !INK_EMULATED
void detail::run(const char* name, const void* kernel, const Grid& grid, void** arguments) {
  check(grid.blocks <= std::numeric_limits<int32_t>::max() && grid.rows <= 65535, "cuda: ", name,
        ": a launch of ", grid.blocks, " × ", grid.rows,
        " blocks, where 2147483647 × 65535 are the most");
  constexpr size_t kFree = 32 * 1024;  // a kernel's static arrays count towards the 48 KiB too
  if (grid.shared > kFree) {
    expect_success(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                        static_cast<int>(grid.shared)),
                   name);
  }
  const dim3 blocks(static_cast<unsigned>(grid.blocks), static_cast<unsigned>(grid.rows));
  KernelTimes::around(name, [&] {
    expect_success(cudaLaunchKernel(kernel, blocks, dim3(static_cast<unsigned>(grid.threads)),
                                    arguments, grid.shared, stream()),
                   name);
  });
}
#endif

}  // namespace cuda

Backend& cuda_backend() {
  static auto& made = *new cuda::CudaBackend;
  return made;
}

}  // namespace ink
