// The scheduler of a block: lets its threads run in turn, from one barrier or meeting to the next.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emulated/async_copies.h"
#include "cuda/emulated/block.h"
#include "cuda/emulated/fiber.h"
#include "cuda/emulated/shared_memory.h"

namespace ink::cuda::emulated {

inline constexpr int kMostThreads = 1024;  // of a block
inline constexpr int kLanes = 32;          // of a warp

class Scheduler {
 public:
  // Runs every thread of a block, and raises Error for what the kernel does wrong.
  void run_block(int threads, size_t shared, const std::function<void()>& body);
  // For ThreadSanitizer, what threads do is done by `by` (a stream); or, `apart`, each is a thread
  // of its own that comes after what `by` has done, and before what it does after join_seen().
  void set_seen(SeenThread by, bool apart) { seen_by_ = by, apart_ = apart && kSeesThreads; }
  void join_seen();
  void set_order(uint64_t seed) { seed_ = seed, random_ = 0; }

  // ── of the running thread ──
  void barrier(Site site);
  void meet(Site site, unsigned mask, Exchange exchange, void* brought, Memory memory);
  [[noreturn]] void give_up(std::string reason);
  int thread() const { return current_; }
  SharedMemory& shared() { return shared_; }
  AsyncCopies& copies() { return threads_[current_].copies; }
  Fiber& fiber() { return *threads_[current_].fiber; }

 private:
  enum class State : uint8_t { fresh, ready, at_barrier, at_meeting, done };
  struct Thread {
    State state = State::fresh;
    Fiber* fiber = nullptr;
    Site site = {};
    unsigned mask = 0;
    Exchange exchange = nullptr;
    void* brought = nullptr;
    Memory memory = Memory::unordered;
    AsyncCopies copies;
  };

  static void carry(void* self);
  void run_next_thread();
  void start_threads();
  Fiber& next_fiber();
  SeenThread new_seen() const;
  void resume_ready();
  void become(int thread);
  void shuffle_order();
  bool release_barrier();
  bool release_meetings();
  bool complete(int at) const;
  void release_meeting(int at);
  void order_memory(int first, unsigned mask);
  int count(State state) const;
  void expect_one_barrier() const;
  void expect_progress() const;
  void raise_failure();

  std::array<Thread, kMostThreads> threads_;
  std::array<int, kMostThreads> order_ = {};
  int size_ = 0, current_ = 0, next_ = 0;
  const std::function<void()>* body_ = nullptr;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  size_t fibers_in_use_ = 0;
  SeenThread seen_by_ = nullptr;
  bool apart_ = false;
  uint64_t seed_ = 0, random_ = 0;
  SharedMemory shared_;
  bool failed_ = false;
  std::string failure_;
};

// The one of the kernel that runs.
Scheduler& scheduler();

}  // namespace ink::cuda::emulated
