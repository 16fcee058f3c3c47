// Several threads that compute on one device.
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include "cuda/allocator.h"
#include "cuda/graph.h"
#include "nn/session.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"
#include "tests/nn/small_models.h"

namespace ink {
namespace {

class ThreadsOnDevice : public ::testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
  // work(0) and work(1) at the same time.
  static void run_two(const std::function<void(int)>& work) {
    std::thread other(work, 1);
    work(0);
    other.join();
  }
};

// Through more buffers than there are. ThreadSanitizer sees any that two threads have.
TEST_F(ThreadsOnDevice, Upload) {
  constexpr size_t kBytes = size_t{256} << 10;
  constexpr int kTimes = 200;
  bool same[2] = {true, true};
  run_two([&](int thread) {
    std::vector<int32_t> sent(kBytes / sizeof(int32_t));
    for (int i = 0; i < kTimes; ++i) {
      std::fill(sent.begin(), sent.end(), 2 * i + thread);
      const Tensor there = to(from(sent), Device::cuda);
      same[thread] = same[thread] && to_vector<int32_t>(to(there, Device::cpu)) == sent;
    }
  });
  EXPECT_TRUE(same[0] && same[1]);
}

// A device that is waited for would break the recording.
TEST_F(ThreadsOnDevice, GiveMemoryBackWhenARecordingIsDone) {
  cuda::release_device_cache();
  const size_t cached = cuda::device_statistics().cached;  // of slabs that are in use
  const Tensor x = to(randn({500}, 1, Dtype::f32), Device::cuda);
  Tensor y;
  std::future<void> given_back;
  cuda::Graph graph([&] {
    y = {};  // which leaves something to give back
    if (cuda::is_recording()) {
      given_back = std::async(std::launch::async, cuda::release_device_cache);
      given_back.wait_for(std::chrono::milliseconds(20));
    }
    y = add(x, x);
  });
  given_back.get();
  EXPECT_LE(cuda::device_statistics().cached, cached);
  graph.replay();
  EXPECT_TRUE(equal_bits(y, add(x, x)));
}

// Nor is there anything to wait for where a recording itself runs out of memory.
TEST_F(ThreadsOnDevice, RecordingsGiveNothingBack) {
  const Tensor x = to(randn({500}, 1, Dtype::f32), Device::cuda);
  add(x, x);
  const cuda::Graph graph([&] {
    if (!cuda::is_recording()) return;
    cuda::limit_device_memory(1);
    EXPECT_ERROR(Tensor({1 << 24}, Dtype::f32, Device::cuda), "out of memory");
    cuda::limit_device_memory(0);
    EXPECT_GT(cuda::device_statistics().cached, 0u);
  });
}

Session session_of(uint64_t seed) {
  ModelConfig config = testing::small_config();
  config.set_layers(1, 5, 97);
  return Session(Model(config, {}, random_values(Random(seed))), {Device::cuda, Dtype::f32});
}

Packed batch_of(int thread, int i) {
  const std::vector<int> lengths = i % 2 ? std::vector{3, 1, 5} : std::vector{2 + thread, 8};
  return pack(testing::sequences(lengths, static_cast<uint64_t>(10 * i + thread), 199));
}

// Lengths come again, so that one thread records and replays what the other does as well.
void expect_results_of_one_thread(const Session& of_first, const Session& of_second,
                                  const std::function<void(const std::function<void(int)>&)>& run) {
  constexpr int kTimes = 8;
  std::vector<Tensor> got[2];
  run([&](int thread) {
    for (int i = 0; i < kTimes; ++i)
      got[thread].push_back(
          to((thread ? of_second : of_first).encode(batch_of(thread, i)).hidden, Device::cpu));
  });
  for (int thread = 0; thread < 2; ++thread) {
    const Session alone =
        session_of(&of_first == &of_second ? 1 : 1 + static_cast<uint64_t>(thread));
    for (int i = 0; i < kTimes; ++i) {
      const Tensor expected = to(alone.encode(batch_of(thread, i)).hidden, Device::cpu);
      EXPECT_TRUE(equal_bits(got[thread][static_cast<size_t>(i)], expected)) << thread << ' ' << i;
    }
  }
}

TEST_F(ThreadsOnDevice, ShareASession) {
  const Session session = session_of(1);
  expect_results_of_one_thread(session, session, run_two);
}

TEST_F(ThreadsOnDevice, HaveASessionEach) {
  const Session first = session_of(1), second = session_of(2);
  expect_results_of_one_thread(first, second, run_two);
}

}  // namespace
}  // namespace ink
