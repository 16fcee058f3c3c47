// A grid: its blocks one after another, as work of the calling thread's stream.
#include "cuda/emulated/run.h"

#include <map>
#include <memory>
#include <string>

#include "cuda/emulated/arena.h"
#include "cuda/emulated/control.h"
#include "cuda/emulated/graphs.h"
#include "cuda/emulated/scheduler.h"
#include "cuda/emulated/status.h"
#include "cuda/emulated/streams.h"
#include "cuda/stream.h"

// CUDA's names. NOLINTBEGIN(readability-identifier-naming)
extern uint3 blockIdx;
extern dim3 blockDim, gridDim;
// NOLINTEND(readability-identifier-naming)

namespace ink::cuda::emulated {
namespace {

constexpr int64_t kMostBlocks = (int64_t{1} << 31) - 1, kMostRows = 65535;
// Threads that ThreadSanitizer sees apart: of a launch, for which it has room, and of all launches
// of a kernel, for it is slow. Those of further blocks count as the stream.
constexpr int64_t kSeenOfLaunch = 2048, kSeenOfKernel = 16384;

void expect_grid(const char* name, int64_t blocks, int64_t rows, int threads, size_t shared) {
  check(blocks > 0 && blocks <= kMostBlocks && rows > 0 && rows <= kMostRows, "cuda: ", name,
        ": a grid of ", blocks, " × ", rows, " blocks");
  check(threads > 0 && threads <= kMostThreads && threads % kLanes == 0, "cuda: ", name,
        ": expected blocks of a multiple of ", kLanes, " threads up to ", kMostThreads, ", got ",
        threads);
  check(shared <= SharedMemory::kAll, "cuda: ", name, ": ", shared, " bytes of shared memory");
}

// Ends what ThreadSanitizer sees of a launch, however the launch ends.
class SeenLaunch {
 public:
  SeenLaunch(const char* kernel, SeenThread stream) : stream_(stream), of_kernel_(seen_of(kernel)) {
    scheduler().set_seen(stream, apart_);
  }
  ~SeenLaunch() { scheduler().join_seen(); }
  SeenLaunch(const SeenLaunch&) = delete;
  SeenLaunch& operator=(const SeenLaunch&) = delete;
  void before_block(int threads) {
    of_launch_ += threads, of_kernel_ += threads;
    if (!apart_ || (of_launch_ <= kSeenOfLaunch && of_kernel_ <= kSeenOfKernel)) return;
    apart_ = false;
    scheduler().join_seen();
    scheduler().set_seen(stream_, false);
  }

 private:
  static int64_t& seen_of(const std::string& kernel) {
    static auto& seen = *new std::map<std::string, int64_t>;
    return seen[kernel];
  }

  SeenThread stream_;
  bool apart_ = true;
  int64_t of_launch_ = 0, &of_kernel_;
};

void run_blocks(const char* name, int threads, size_t shared, const std::function<void()>& body,
                SeenThread stream) {
  SeenLaunch seen(name, stream);
  for (unsigned y = 0; y < gridDim.y; ++y) {
    for (unsigned x = 0; x < gridDim.x; ++x) {
      blockIdx = {x, y, 0};
      seen.before_block(threads);
      scheduler().run_block(threads, shared, body);
    }
  }
}

}  // namespace

void run(const char* name, int64_t blocks, int64_t rows, int threads, size_t shared,
         std::function<void()> body) {
  expect_grid(name, blocks, rows, threads, shared);
  expect_success(reported(cudaSuccess), name);
  if (noted(stream(), [=] { run(name, blocks, rows, threads, shared, body); })) return;
  const ArenaAccess access;
  blockDim = {static_cast<unsigned>(threads), 1, 1};
  gridDim = {static_cast<unsigned>(blocks), static_cast<unsigned>(rows), 1};
  // The arguments are the launch's own until the stream has done it.
  auto owned = std::make_unique<const std::function<void()>>(std::move(body));
  std::string failure;
  try {
    run_blocks(name, threads, shared, *owned, stream_of(stream()).seen);
    failure = arena().find_overrun();
    if (!failure.empty()) failure = "wrote " + failure;
  } catch (const Error& error) {
    std::ostringstream out;
    out << error.message() << ", block (" << blockIdx.x << ", " << blockIdx.y << ')';
    failure = out.str();
  }
  {
    const InStream in_stream(stream());
    owned.reset();
  }
  check(failure.empty(), "cuda: ", name, ": ", failure);
}

void expect_device_pointer(const char* kernel, int at, const void* p) {
  check(kernel_may_have(p), "cuda: ", kernel, ": argument ", at, " points to ",
        arena().place_of(p));
}

void set_thread_order(uint64_t seed) { scheduler().set_order(seed); }

}  // namespace ink::cuda::emulated
