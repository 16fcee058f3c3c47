// The emulated device finds what kernels do wrong with barriers, warps, shared memory and the
// memory of tensors, and what the host does wrong with the device's memory.
#if INK_EMULATED
#include "cuda/allocator.h"
#include "cuda/emulated/streams.h"
#include "cuda/stream.h"
#include "tensor/device.h"
#include "tests/cuda/device.h"
#include "tests/cuda/planted.h"

namespace ink::cuda {
namespace {

constexpr int kThreads = 64;

// A kernel of 64 threads that writes to y.
void run(void (*kernel)(float*), int64_t size = kThreads) {
  Tensor y = device_floats(size);
  launch("planted", kernel, {1, kThreads}, y.data<float>());
}

// ── barriers ────────────────────────────────────────────────────────────────────────────────────

__global__ void barrier_in_branch_kernel(float* y) {
  if (threadIdx.x < 40) __syncthreads();
  y[threadIdx.x] = 1;
}
__global__ void two_barriers_kernel(float* y) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
  y[threadIdx.x] = 1;
}

TEST(Emulator, FindsABarrierThatSomeThreadsDoNotReach) {
  EXPECT_ERROR(run(barrier_in_branch_kernel), "40 threads wait at the barrier at ");
  EXPECT_ERROR(run(barrier_in_branch_kernel), "24 have left the kernel");
  EXPECT_ERROR(run(barrier_in_branch_kernel), "emulator_test.cpp:");
  EXPECT_ERROR(run(barrier_in_branch_kernel), "cuda: planted: ");
}

TEST(Emulator, FindsDifferentBarriers) {
  EXPECT_ERROR(run(two_barriers_kernel), "threads 0 and 32 wait at different barriers");
}

TEST(Emulator, GoesOnAfterAnError) {
  EXPECT_ERROR(run(barrier_in_branch_kernel), "barrier");
  run([](float* y) { y[threadIdx.x] = 1; });
}

// ── warps ───────────────────────────────────────────────────────────────────────────────────────

__global__ void outside_mask_kernel(float* y) {
  const unsigned mask = 0xffff;
  if (threadIdx.x % 32 < 16) y[threadIdx.x] = __shfl_sync(mask, 1.0f, 20);
}
__global__ void not_in_mask_kernel(float* y) {
  y[threadIdx.x] = __shfl_xor_sync(0x7fffffff, 1.0f, 1);
}
__global__ void lanes_gone_kernel(float* y) {
  if (threadIdx.x < 8) y[threadIdx.x] = warp_sum(1);
}
__global__ void lanes_apart_kernel(float* y) {
  float sum = 0;
  if (threadIdx.x % 2) {
    sum = __shfl_xor_sync(kAllLanes, 1.0f, 1);
  } else {
    sum = __shfl_xor_sync(kAllLanes, 2.0f, 1);
  }
  y[threadIdx.x] = sum;
}
__global__ void lane_at_barrier_kernel(float* y) {
  if (threadIdx.x == 5) __syncthreads();
  y[threadIdx.x] = warp_sum(1);
}

TEST(Emulator, FindsAShuffleFromOutsideItsMask) {
  EXPECT_ERROR(run(outside_mask_kernel), "a shuffle from a lane outside of its mask, at ");
}
TEST(Emulator, FindsALaneThatIsNotInItsMask) {
  EXPECT_ERROR(run(not_in_mask_kernel), "leaves out the lane that gives it, thread 31");
}
TEST(Emulator, FindsAMaskWithLanesThatHaveLeft) {
  EXPECT_ERROR(run(lanes_gone_kernel), "lane 8 of the mask at ");
}
TEST(Emulator, FindsLanesThatMeetAtDifferentPlaces) {
  EXPECT_ERROR(run(lanes_apart_kernel), "meet at different places");
}
TEST(Emulator, FindsALaneThatWaitsAtABarrier) {
  EXPECT_ERROR(run(lane_at_barrier_kernel), "waits at a barrier");
}

// ── shared memory ───────────────────────────────────────────────────────────────────────────────

__global__ void reads_behind_shared_kernel(float* y) {
  INK_SHARED(float, row, [kThreads]);
  row[threadIdx.x] = 1;
  __syncthreads();
  const volatile float* p = row;
  y[threadIdx.x] = p[threadIdx.x + 1];
}
__global__ void writes_before_shared_kernel(float* y) {
  INK_SHARED(float, row, [kThreads]);
  volatile float* p = row;
  p[static_cast<int>(threadIdx.x) - 1] = 1;
  y[threadIdx.x] = 1;
}
__global__ void unwritten_shared_kernel(float* y) {
  INK_SHARED(float, row, [kThreads]);
  y[threadIdx.x] = row[threadIdx.x];
}
__global__ void much_shared_kernel(float* y) {
  INK_SHARED(float, rows, [200][kThreads]);
  y[threadIdx.x] = rows[0][threadIdx.x];
}
__global__ void behind_dynamic_kernel(float* y) {
  INK_DYNAMIC_SHARED(float, row);
  row[threadIdx.x] = y[threadIdx.x];
}

TEST(Emulator, FindsReadsBehindASharedArray) {
  EXPECT_OUTSIDE(run(reads_behind_shared_kernel), "memory outside of the shared array 'row'");
}
TEST(Emulator, FindsWritesBeforeASharedArray) {
  EXPECT_OUTSIDE(run(writes_before_shared_kernel), "written outside of the shared array 'row'");
}
TEST(Emulator, FindsAccessesBehindDynamicSharedMemory) {
  Tensor y = device_floats(kThreads);
  const Grid grid{.blocks = 1, .threads = kThreads, .shared = 32 * sizeof(float)};
  EXPECT_OUTSIDE(launch("planted", behind_dynamic_kernel, grid, y.data<float>()),
                 "writes memory outside of the shared array 'dynamic'");
}
TEST(Emulator, FillsSharedMemoryWithNaN) {
  Tensor y = device_floats(kThreads);
  launch("planted", unwritten_shared_kernel, {1, kThreads}, y.data<float>());
  for (const float v : values_of(y)) EXPECT_TRUE(std::isnan(v));
}
TEST(Emulator, SaysWhichBlocksThereAre) {
  Tensor y = device_floats(kThreads);
  for (const int threads : {0, 100, 2048})
    EXPECT_ERROR(
        launch("planted", unwritten_shared_kernel, {1, threads}, y.data<float>()),
        "expected blocks of a multiple of 32 threads up to 1024, got " + std::to_string(threads));
}
TEST(Emulator, HasNoMoreSharedMemoryThanTheDevice) {
  EXPECT_ERROR(run(much_shared_kernel), "no room for the shared array 'rows'");
  const Grid grid{.blocks = 1, .threads = kThreads, .shared = 300 * 1024};
  Tensor y = device_floats(kThreads);
  EXPECT_ERROR(launch("planted", behind_dynamic_kernel, grid, y.data<float>()),
               "bytes of shared memory");
}

// ── the memory of tensors ───────────────────────────────────────────────────────────────────────

__global__ void copy_kernel(const float* x, float* y, int n) {
  for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(blockDim.x)) y[i] = x[i];
}

void copy(const float* x, float* y, int n) { launch("copy", copy_kernel, {1, kThreads}, x, y, n); }

TEST(Emulator, FindsWritesBehindATensor) {
  const Tensor x = on_device(counting(101));
  Tensor y = device_floats(100);
  EXPECT_OUTSIDE(copy(x.data<float>(), y.data<float>(), 101),
                 "cuda: copy: wrote right behind a block of 400 bytes");
}

TEST(Emulator, FindsReadsBehindATensor) {
  const Tensor x = on_device(counting(100));
  Tensor y = device_floats(101);
#if INK_ADDRESS_SANITIZER
  EXPECT_DEATH(copy(x.data<float>(), y.data<float>(), 101), "use-after-poison");
#else
  copy(x.data<float>(), y.data<float>(), 101);
  EXPECT_TRUE(std::isnan(values_of(y)[100]));
#endif
}

TEST(Emulator, FindsAccessesFarFromAllTensors) {
  Tensor x = device_floats(100);
  EXPECT_ERROR(copy(x.data<float>() + (int64_t{1} << 31), x.data<float>(), 1),
               "argument 1 points to");
  const auto far = [](float* p) { p[int64_t{1} << 31] = 1; };
  EXPECT_ERROR(launch("far", +far, {1, kWarp}, x.data<float>()), "cuda: far: writes memory that");
  const auto null = [](float* p) { *p = 1; };
  EXPECT_OUTSIDE(launch("null", +null, {1, kWarp}, nullptr), "writes a null pointer, thread 0");
}

TEST(Emulator, RefusesPointersThatKernelsCannotUse) {
  const std::vector<float> host(100);
  Tensor y = device_floats(100);
  EXPECT_ERROR(copy(host.data(), y.data<float>(), 100), "cuda: copy: argument 1 points to");
  EXPECT_ERROR(copy(host.data(), y.data<float>(), 100), "is not on the device");
  const float* released = device_floats(3000).data<float>();
  EXPECT_ERROR(copy(released, y.data<float>(), 100), "memory that was released");
}

__global__ void pack_kernel(const float* x, float* y) {
  if (threadIdx.x == 7) store_pack<float, 2>(y, load_pack<float, 2>(x));
}

TEST(Emulator, FindsPacksOffTheirAlignment) {
  const Tensor x = on_device(counting(100));
  Tensor y = device_floats(100);
  const auto move = [&](int from, int to) {
    launch("pack", pack_kernel, {1, kThreads}, x.data<float>() + from, y.data<float>() + to);
  };
  move(2, 4);
  const char* message =
      "cuda: pack: a pack of 8 bytes begins off its alignment, in byte 12 of a block of 400 bytes, "
      "thread 7";
  EXPECT_ERROR(move(3, 4), message);
  EXPECT_ERROR(move(2, 3), message);
}

TEST(Emulator, FillsFreshMemoryWithNaN) {
  const Tensor y = device_floats(100);
  for (const float v : values_of(y)) EXPECT_TRUE(std::isnan(v));
  EXPECT_EQ(nan_hint(y, zeros({100})),
            "\nthe device has NaN in element 0: was it read before it was written, or outside of a "
            "tensor?");
  EXPECT_EQ(nan_hint(y, y), "");
}

TEST(Emulator, KeepsTheHostFromTheMemoryOfTheDevice) {
  const Tensor x = on_device({1, 2, 3});
  const volatile float* p = x.data<float>();
  EXPECT_DEATH(static_cast<void>(p[1]), "the host touches memory of the device");
}

#if !INK_ADDRESS_SANITIZER  // whose own notes on the stack would run over first
__global__ void deep_kernel(float* y) {
  volatile float large[64 * 1024];
  for (int i = 64 * 1024; i-- > 0;) large[i] = 1;
  y[threadIdx.x] = large[threadIdx.x];
}

TEST(Emulator, FindsKernelsWithTooManyLocalVariables) {
  EXPECT_ERROR(run(deep_kernel), "memory beyond its stack");
}
#endif

// ── the runtime ─────────────────────────────────────────────────────────────────────────────────

TEST(Emulator, RefusesGridsThatTheDeviceRefuses) {
  Tensor y = device_floats(kThreads);
  for (const Grid grid :
       {Grid{1, 48}, Grid{1, 2048}, Grid{1, 32, 70000}, Grid{int64_t{1} << 31, 32}})
    EXPECT_ERROR(launch("planted", unwritten_shared_kernel, grid, y.data<float>()),
                 "cuda: planted");
}

TEST(Emulator, CopiesOnlyInsideOfTensors) {
  const std::vector<float> host(100);
  Tensor x = device_floats(50);
  EXPECT_EQ(cudaMemcpy(x.data<float>(), host.data(), 400, cudaMemcpyHostToDevice),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpy(x.data<float>(), host.data(), 100, cudaMemcpyDeviceToDevice),
            cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(x.data<float>(), 0, 201, nullptr), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST(Emulator, BreaksCapturesWhoseDeviceIsWaitedFor) {
  cudaStream_t stream = nullptr;
  cudaGraph_t graph = nullptr;
  ASSERT_EQ(cudaStreamCreate(&stream), cudaSuccess);
  const auto capture = [&](auto wait) {
    EXPECT_EQ(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed), cudaSuccess);
    EXPECT_EQ(wait(), cudaErrorStreamCaptureUnsupported);
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(wait(), cudaSuccess);
  };
  capture([] { return cudaDeviceSynchronize(); });
  capture([=] { return cudaStreamSynchronize(stream); });
  capture([=] { return cudaStreamQuery(stream); });
  cudaGetLastError();
  cudaStreamDestroy(stream);
}

// The device has read them when the host has waited for the copy, not before.
TEST(Emulator, FindsUploadsThatChangeTooEarly) {
  Tensor x = device_floats(4);
  float* pinned = nullptr;
  cudaEvent_t event = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, 4 * sizeof(float)), cudaSuccess);
  ASSERT_EQ(cudaEventCreate(&event), cudaSuccess);
  const auto upload = [&](float value) {
    pinned[2] = value;
    return cudaMemcpyAsync(x.data<float>(), pinned, 4 * sizeof(float), cudaMemcpyHostToDevice,
                           stream());
  };
  EXPECT_EQ(upload(1), cudaSuccess);
  EXPECT_EQ(upload(1), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event, stream()), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event), cudaSuccess);
  EXPECT_EQ(upload(2), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event), cudaSuccess);  // recorded before
  EXPECT_EQ(upload(3), cudaErrorInvalidValue);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue);
  EXPECT_EQ(cudaStreamSynchronize(stream()), cudaSuccess);
  EXPECT_EQ(upload(4), cudaSuccess);
  cudaFreeHost(pinned);
  cudaEventDestroy(event);
}

TEST(Emulator, FailsToAllocateWhenAsked) {
  release_device_cache();
  emulated::fail_allocation(1);
  device_floats(1000);  // the allocator gives its cache back and asks again
  release_device_cache();
  EXPECT_ERROR(device_floats(int64_t{1} << 40), "cuda: out of memory");
}

TEST(Emulator, RunningOutOfMemoryNamesTheLargestTensors) {
  const Tensor held[] = {device_floats(3 << 18), device_floats(5 << 18), device_floats(1 << 18),
                         device_floats(4 << 18)};
  EXPECT_ERROR(device_floats(int64_t{1} << 40), "the largest tensors have 5, 4, 3 MiB; use a ");
}

TEST(Emulator, AMissingDriverIsCalledOne) {
  const int number = properties().number;
  emulated::fail_device(cudaErrorInsufficientDriver);
  EXPECT_ERROR(choose_device(number), "no NVIDIA driver, or one too old for CUDA 13");
  emulated::fail_device(cudaSuccess);
}

TEST(Emulator, ReportsAFailureOfTheDeviceAtTheNextCall) {
  Tensor y = device_floats(kThreads);
  launch("planted", unwritten_shared_kernel, {1, kThreads}, y.data<float>());
  emulated::fail_device(cudaErrorLaunchFailure);
  EXPECT_ERROR(cuda_backend().synchronize(),
               "cuda: unspecified launch failure, found after the kernel planted");
  EXPECT_ERROR(launch("planted", unwritten_shared_kernel, {1, kThreads}, y.data<float>()),
               "cuda: planted: unspecified launch failure");
  emulated::fail_device(cudaSuccess);
  values_of(y);
}

// A copy from or to memory that is not pinned waits inside the driver, where nobody can break off.
TEST(Emulator, WaitsForAStuckDeviceCanBeBrokenOff) {
  const Tensor x = device_floats(int64_t{2} << 20);  // 8 MiB, which pass no staging buffer
  std::vector<float> host(static_cast<size_t>(x.size()));
  const size_t bytes = host.size() * sizeof(float);
  void* device = x.storage()->data();
  {
    const WatchScope watch([] { fail("a peer is gone"); });
    emulated::set_stuck(true);
    EXPECT_ERROR(cuda_backend().download(host.data(), device, bytes), "a peer is gone");
    EXPECT_ERROR(cuda_backend().upload(device, host.data(), bytes), "a peer is gone");
    EXPECT_ERROR(cuda_backend().synchronize(), "a peer is gone");
    emulated::set_stuck(false);
  }
  cuda_backend().download(host.data(), device, bytes);
}

}  // namespace
}  // namespace ink::cuda
#endif
