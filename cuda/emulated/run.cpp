// A grid: its blocks one after another.
#include "cuda/emulated/run.h"

#include <mutex>

#include "cuda/emulated/scheduler.h"
#include "cuda/emulated/toolkit/vector_types.h"
#include "tensor/error.h"

extern uint3 blockIdx;
extern dim3 blockDim, gridDim;

namespace ink::cuda::emulated {
namespace {

constexpr int64_t kMostBlocks = (int64_t{1} << 31) - 1, kMostRows = 65535;
// Threads of a launch that ThreadSanitizer sees one by one; it has room for some 8,000, and is slow
// with many. Those of further blocks count as one.
constexpr int64_t kSeenThreads = 2048;

void expect_grid(const char* name, int64_t blocks, int64_t rows, int threads, size_t shared) {
  check(blocks > 0 && blocks <= kMostBlocks && rows > 0 && rows <= kMostRows, "cuda: ", name,
        ": a grid of ", blocks, " × ", rows, " blocks");
  check(threads > 0 && threads <= kMostThreads && threads % kLanes == 0, "cuda: ", name,
        ": blocks of ", threads, " threads");
  check(shared <= SharedMemory::kAll, "cuda: ", name, ": ", shared, " bytes of shared memory");
}

std::recursive_mutex& device() {
  static auto& made = *new std::recursive_mutex;
  return made;
}

}  // namespace

void run(const char* name, int64_t blocks, int64_t rows, int threads, size_t shared,
         const std::function<void()>& body) {
  expect_grid(name, blocks, rows, threads, shared);
  const std::lock_guard lock(device());
  blockDim = {static_cast<unsigned>(threads), 1, 1};
  gridDim = {static_cast<unsigned>(blocks), static_cast<unsigned>(rows), 1};
  bool seen = kSeesThreads;
  int64_t so_far = 0;
  for (unsigned y = 0; y < gridDim.y; ++y) {
    for (unsigned x = 0; x < gridDim.x; ++x) {
      blockIdx = {x, y, 0};
      so_far += threads;
      if (seen && so_far > kSeenThreads) {
        scheduler().forget_seen();
        seen = false;
      }
      try {
        scheduler().run_block(threads, shared, body, seen);
      } catch (const Error& error) {
        if (seen) scheduler().forget_seen();
        fail("cuda: ", name, ": block (", x, ", ", y, "): ", error.message());
      }
    }
  }
  if (seen) scheduler().forget_seen();
}

void set_thread_order(uint64_t seed) { scheduler().set_order(seed); }

}  // namespace ink::cuda::emulated
