// Races: missing barriers, missing atomics, streams that do not wait for each other. Planted ones
// are found, by ThreadSanitizer or by the values; correct kernels have none.
#if INK_EMULATED
#include <algorithm>
#include <atomic>
#include <string_view>

#include "cuda/ptx.cuh"
#include "cuda/stream.h"
#include "tests/cuda/planted.h"

namespace {

std::atomic<int> reported = 0;

// A race that no test has planted fails the test in which it is seen.
class NoOtherRaces final : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { before_ = reported; }
  void OnTestEnd(const testing::TestInfo& info) override {
    const bool planted = std::string_view(info.test_suite_name()).starts_with("Races");
    if (!planted && reported != before_) ADD_FAILURE() << "a data race, described above";
  }
  int before_ = 0;
};
const bool listening = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new NoOtherRaces);
  return true;
}();

}  // namespace

// NOLINTBEGIN(readability-identifier-naming): ThreadSanitizer's names
extern "C" void __tsan_on_report(void*) { ++reported; }
// Every race counts, also of places that were seen before; the tests decide what fails. Faults are
// the emulator's to explain.
extern "C" const char* __tsan_default_options() {
  return "suppress_equal_stacks=0:suppress_equal_addresses=0:exitcode=0:handle_segv=0";
}
// NOLINTEND(readability-identifier-naming)

namespace ink::cuda {
namespace {

#define SKIP_WITHOUT_THREAD_SANITIZER() \
  if (!emulated::kSeesThreads) GTEST_SKIP() << "only ThreadSanitizer sees it"

// The races that f() runs into; what is printed about them is swallowed.
template <class F>
int races_of(const F& f) {
  testing::internal::CaptureStderr();
  const int before = reported;
  f();
  const int found = reported - before;
  testing::internal::GetCapturedStderr();
  return found;
}

constexpr int kThreads = 64;

// Reverses passes of 64 elements through shared memory.
template <bool kFirstBarrier, bool kLastBarrier>
__global__ void reverse_kernel(const float* x, float* y, int passes) {
  INK_SHARED(float, buffer, [kThreads]);
  const int thread = static_cast<int>(threadIdx.x);
  for (int pass = 0; pass < passes; ++pass, x += kThreads, y += kThreads) {
    buffer[thread] = x[thread];
    if (kFirstBarrier) __syncthreads();
    y[thread] = buffer[kThreads - 1 - thread];
    if (kLastBarrier) __syncthreads();
  }
}

using Reverse = void (*)(const float*, float*, int);

struct Reversed {
  std::vector<float> values;
  int races;
};

Reversed reversed(Reverse kernel, int passes, uint64_t order) {
  const Tensor x = on_device(counting(passes * kThreads));
  Tensor y = device_floats(passes * kThreads);
  emulated::set_thread_order(order);
  const int found = races_of([&] {
    launch("reverse", kernel, {1, kThreads}, x.data<float>(), y.data<float>(), passes);
  });
  emulated::set_thread_order(0);
  return {values_of(y), found};
}

std::vector<float> expected(int passes) {
  std::vector<float> values = counting(passes * kThreads);
  for (auto at = values.begin(); at != values.end(); at += kThreads)
    std::reverse(at, at + kThreads);
  return values;
}

TEST(Races, NoneWithEveryBarrierInAnyOrder) {
  for (const uint64_t order : {0, 1, 2, 3}) {
    const Reversed r = reversed(reverse_kernel<true, true>, 3, order);
    EXPECT_EQ(r.values, expected(3)) << order;
    EXPECT_EQ(r.races, 0);
  }
}

TEST(Races, AMissingBarrierBeforeReadingIsFound) {
  const Reversed r = reversed(reverse_kernel<false, true>, 1, 0);
  EXPECT_TRUE(std::isnan(r.values[0]));  // what thread 63 had not yet written
  EXPECT_EQ(r.races > 0, emulated::kSeesThreads);
}

TEST(Races, AMissingBarrierBeforeWritingAgainIsFound) {
  const Reversed r = reversed(reverse_kernel<true, false>, 2, 0);
  EXPECT_NE(r.values, expected(2));  // thread 0 has gone ahead
  EXPECT_EQ(r.races > 0, emulated::kSeesThreads);
}

TEST(Races, OrdersOfThreadsGiveARaceAway) {
  const Reversed one = reversed(reverse_kernel<true, false>, 2, 1);
  const Reversed two = reversed(reverse_kernel<true, false>, 2, 2);
  EXPECT_NE(one.values, two.values);
  EXPECT_EQ(reversed(reverse_kernel<true, false>, 2, 1).values, one.values);
}

// What thread 0 writes for all is there in time where it runs first.
__global__ void spread_kernel(const float* x, float* y, int) {
  INK_SHARED(float, first, [1]);
  if (threadIdx.x == 0) first[0] = x[0];
  y[threadIdx.x] = first[0];
}
TEST(Races, AMissingBarrierBehindThread0TakesAnotherOrder) {
  EXPECT_EQ(reversed(spread_kernel, 1, 0).values, std::vector<float>(kThreads, counting(1)[0]));
  const std::vector<float> values = reversed(spread_kernel, 1, 1).values;
  EXPECT_TRUE(std::any_of(values.begin(), values.end(), [](float v) { return std::isnan(v); }));
}

// Neighbouring lanes exchange through shared memory, with or without a word to the warp.
template <bool kSync>
__global__ void swap_kernel(float* x) {
  INK_SHARED(float, buffer, [kWarp]);
  buffer[threadIdx.x] = x[threadIdx.x];
  if (kSync) {
    __syncwarp();
  } else {
    __ballot_sync(kAllLanes, 1);  // lanes meet, but their memory is not ordered
  }
  x[threadIdx.x] = buffer[threadIdx.x ^ 1];
}

TEST(Races, AMissingSyncwarpIsFound) {
  SKIP_WITHOUT_THREAD_SANITIZER();
  Tensor x = on_device(counting(kWarp));
  float* data = x.data<float>();
  EXPECT_EQ(races_of([&] { launch("swap", swap_kernel<true>, {1, kWarp}, data); }), 0);
  EXPECT_GT(races_of([&] { launch("swap", swap_kernel<false>, {1, kWarp}, data); }), 0);
}

template <bool kAtomic>
__global__ void count_kernel(int* counts) {
  int* count = counts + threadIdx.x % 4;
  if (kAtomic) {
    atomicAdd(count, 1);
  } else {
    *count += 1;
  }
}

TEST(Races, AMissingAtomicIsFound) {
  SKIP_WITHOUT_THREAD_SANITIZER();
  Tensor counts = to(zeros({4}, Dtype::i32), Device::cuda);
  int* data = counts.data<int>();
  EXPECT_EQ(races_of([&] { launch("count", count_kernel<true>, {2, kWarp}, data); }), 0);
  EXPECT_GT(races_of([&] { launch("count", count_kernel<false>, {2, kWarp}, data); }), 0);
}

// Each block starts more copies to shared memory than the one before: the emulator's lists of
// copies grow under one thread after another.
__global__ void copies_kernel(const float4* x, float4* y) {
  INK_SHARED(float4, buffer, [4][kWarp]);
  const int lane = static_cast<int>(threadIdx.x), copies = 1 << blockIdx.x;
  for (int i = 0; i < copies; ++i) cp_async_16(&buffer[i][lane], x + lane, true);
  cp_async_commit();
  cp_async_wait<0>();
  y[static_cast<int>(blockIdx.x) * kWarp + lane] = buffer[copies - 1][lane];
}

TEST(Races, NoneOfTheEmulatorsListsOfCopies) {
  constexpr int kBlocks = 3;
  const Tensor x = on_device(counting(4 * kWarp));
  Tensor y = device_floats(kBlocks * 4 * kWarp);
  const auto* from = reinterpret_cast<const float4*>(x.data<float>());
  auto* to = reinterpret_cast<float4*>(y.data<float>());
  EXPECT_EQ(races_of([&] { launch("copies", copies_kernel, {kBlocks, kWarp}, from, to); }), 0);
}

__global__ void fill_kernel(float* x) { x[blockIdx.x * blockDim.x + threadIdx.x] = 1; }

// Of the last of these blocks the threads are not seen apart; those of the next launch are again.
TEST(Races, AreFoundAfterALaunchOfManyThreads) {
  constexpr int kBlocks = 4, kMany = 1024;
  Tensor x = device_floats(kBlocks * kMany);
  float* data = x.data<float>();
  EXPECT_EQ(races_of([&] { launch("fill", fill_kernel, {kBlocks, kMany}, data); }), 0);
  EXPECT_EQ(reversed(reverse_kernel<true, true>, 1, 0).races, 0);
  EXPECT_EQ(reversed(reverse_kernel<false, true>, 1, 0).races > 0, emulated::kSeesThreads);
}

// ── streams ─────────────────────────────────────────────────────────────────────────────────────

class RacesOfStreams : public testing::Test {
 protected:
  void SetUp() override {
    SKIP_WITHOUT_THREAD_SANITIZER();
    expect_success(cudaStreamCreate(&one), "making a stream");
    expect_success(cudaStreamCreate(&other), "making a stream");
    expect_success(cudaEventCreate(&event), "making an event");
    expect_success(cudaMallocHost(&pinned, kWarp * sizeof(float)), "allocating pinned memory");
    x = on_device(counting(kWarp));
    cudaDeviceSynchronize();
  }
  void TearDown() override {
    if (!one) return;
    cudaDeviceSynchronize();
    x = {};
    cudaFreeHost(pinned);
    cudaEventDestroy(event);
    cudaStreamDestroy(other);
    cudaStreamDestroy(one);
  }
  void increment(cudaStream_t in);
  void download() {
    cudaMemcpyAsync(pinned, x.data<float>(), kWarp * sizeof(float), cudaMemcpyDeviceToHost, one);
  }

  cudaStream_t one = nullptr, other = nullptr;
  cudaEvent_t event = nullptr;
  float* pinned = nullptr;
  Tensor x;  // all streams have waited for its making
};

__global__ void increment_kernel(float* x) { x[threadIdx.x] += 1; }

void RacesOfStreams::increment(cudaStream_t in) {
  const StreamScope scope(in);
  launch("increment", increment_kernel, {1, kWarp}, x.data<float>());
}

TEST_F(RacesOfStreams, OneStreamIsInOrder) {
  EXPECT_EQ(races_of([&] {
              increment(one);
              increment(one);
            }),
            0);
}

TEST_F(RacesOfStreams, TwoStreamsNeedAnEvent) {
  const auto both = [&](bool wait) {
    increment(one);
    cudaEventRecord(event, one);
    if (wait) cudaStreamWaitEvent(other, event);
    increment(other);
    cudaDeviceSynchronize();
  };
  EXPECT_EQ(races_of([&] { both(true); }), 0);
  EXPECT_GT(races_of([&] { both(false); }), 0);
}

TEST_F(RacesOfStreams, AnEventRecordedTooEarlyIsFound) {
  EXPECT_GT(races_of([&] {
              cudaEventRecord(event, one);
              increment(one);
              cudaStreamWaitEvent(other, event);
              increment(other);
            }),
            0);
}

TEST_F(RacesOfStreams, TheHostMustWaitForWhatItReads) {
  float sum = 0;
  EXPECT_EQ(races_of([&] {
              download();
              cudaStreamSynchronize(one);
              sum += pinned[3];
            }),
            0);
  EXPECT_GT(races_of([&] {
              download();
              sum += pinned[3];
            }),
            0);
  EXPECT_EQ(sum, 8);
}

TEST_F(RacesOfStreams, TheHostMustNotChangeWhatIsBeingCopied) {
  const auto upload = [&](bool wait) {
    cudaMemcpyAsync(x.data<float>(), pinned, kWarp * sizeof(float), cudaMemcpyHostToDevice, one);
    if (wait) cudaStreamSynchronize(one);
    pinned[3] = 1;
  };
  EXPECT_EQ(races_of([&] { upload(true); }), 0);
  EXPECT_GT(races_of([&] { upload(false); }), 0);
}

}  // namespace
}  // namespace ink::cuda
#endif
