// A fixed pool of threads that take chunks of one job at a time.
//
// One word of state says everything a worker must know: the number of the job, whether it may
// still be joined, and how many workers are inside. The caller opens the job, works on it like
// everybody else, closes it when no chunk is left, and waits only for the workers that joined:
// nobody waits for a thread that was asleep. Workers watch the word for a moment after each job
// and then sleep on it.
//
// While one thread of the program runs a job, calls of others run in place. The pool is never
// destroyed: a program may exit at any moment, from any thread.
#include "tensor/parallel.h"

#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "tensor/error.h"

namespace ink {
namespace {

constexpr int kMaxThreads = 256;
constexpr int64_t kNone = std::numeric_limits<int64_t>::max();

int checked_threads(int n) {
  check(n >= 1 && n <= kMaxThreads, "threads: expected 1 to ", kMaxThreads, ", got ", n);
  return n;
}

int cores() {
  const unsigned n = std::thread::hardware_concurrency();
  return n < 1 ? 1 : n > kMaxThreads ? kMaxThreads : static_cast<int>(n);
}

int initial_threads() {
  const char* asked = std::getenv("INK_THREADS");
  if (!asked || !*asked) return cores();
  int n = 0;
  const char* end = asked + std::strlen(asked);
  const auto [stop, error] = std::from_chars(asked, end, n);
  check(error == std::errc() && stop == end && n >= 1 && n <= kMaxThreads,
        "INK_THREADS: expected a number from 1 to ", kMaxThreads, ", got '", asked, "'");
  return n;
}

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

thread_local bool inside_chunk = false;

class Pool {
 public:
  static Pool& instance() {
    static Pool& pool = *new Pool;  // never destroyed: workers may outlive main
    return pool;
  }

  int size() const { return size_.load(std::memory_order_relaxed); }

  void resize(int n) {
    check(!inside_chunk, "set_threads: expected a call from outside parallel_for, got one inside");
    const std::lock_guard lock(owner_);
    if (n == size()) return;
    stop();
    start(n);
  }

  void run(int64_t n, int64_t grain, detail::Chunk call, const void* f) {
    const int64_t chunks = n / grain + (n % grain != 0);
    if (chunks == 1) return call(f, 0, n);
    std::unique_lock lock(owner_, std::defer_lock);
    if (inside_chunk || size() == 1 || !lock.try_lock()) {
      for (int64_t i = 0; i < n; i += grain) call(f, i, n - i < grain ? n : i + grain);
      return;
    }
    job_ = {.call = call, .f = f, .n = n, .grain = grain, .chunks = chunks};
    next_.store(0, std::memory_order_relaxed);
    open();
    drain();
    close();
    if (failed_ != kNone) {
      failed_ = kNone;
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
  }

 private:
  struct Job {
    detail::Chunk call = nullptr;
    const void* f = nullptr;
    int64_t n = 0, grain = 1, chunks = 0;
  };

  // The word: workers inside (bits 0–8), open (bit 9), number of the job (the rest).
  static constexpr uint32_t kInside = 0x1FF, kOpen = 0x200, kNextJob = 0x400;

  Pool() { start(initial_threads()); }

  void start(int n) {
    stopping_.store(false, std::memory_order_relaxed);
    // With more threads than cores, spinning takes time from those who work.
    spins_ = n <= cores() ? 20000 : 100;
    const uint32_t seen = word_.load(std::memory_order_relaxed) & ~kInside;
    try {
      for (int i = 1; i < n; ++i) workers_.emplace_back([this, seen] { work(seen); });
    } catch (const std::system_error& e) {
      const size_t started = workers_.size();
      stop();
      size_.store(1, std::memory_order_relaxed);
      fail("threads: expected to start ", n - 1, ", the system allowed ", started, ": ", e.what());
    }
    size_.store(n, std::memory_order_relaxed);
  }

  void stop() {
    stopping_.store(true, std::memory_order_relaxed);
    word_.fetch_add(kNextJob, std::memory_order_release);
    word_.notify_all();
    for (std::thread& w : workers_) w.join();
    workers_.clear();
  }

  void open() {
    const uint32_t job = (word_.load(std::memory_order_relaxed) & ~(kInside | kOpen)) + kNextJob;
    word_.store(job | kOpen, std::memory_order_release);
    word_.notify_all();
  }

  void close() {
    uint32_t word = word_.fetch_and(~kOpen, std::memory_order_acquire);
    for (int spin = 0; (word & kInside) != 0; word = word_.load(std::memory_order_acquire)) {
      if (++spin < spins_) {
        relax();
      } else {
        std::this_thread::yield();
      }
    }
  }

  void work(uint32_t seen) {
    for (;;) {
      uint32_t word = await(seen);
      if (stopping_.load(std::memory_order_relaxed)) return;
      while ((word & kOpen) != 0 && (word & ~kInside) != seen) {
        if (!word_.compare_exchange_weak(word, word + 1, std::memory_order_acquire)) continue;
        seen = word & ~kInside;
        drain();
        word_.fetch_sub(1, std::memory_order_release);
      }
    }
  }

  // Waits until a job that this worker has not seen is open, or the pool stops.
  uint32_t await(uint32_t seen) {
    for (int spin = 0;;) {
      const uint32_t word = word_.load(std::memory_order_acquire);
      const bool fresh = (word & kOpen) != 0 && (word & ~kInside) != seen;
      if (fresh || stopping_.load(std::memory_order_relaxed)) return word;
      if (++spin < spins_) {
        relax();
      } else {
        word_.wait(word, std::memory_order_acquire);
      }
    }
  }

  void drain() {
    inside_chunk = true;
    for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < job_.chunks;) {
      const int64_t begin = i * job_.grain;
      const int64_t end = job_.n - begin < job_.grain ? job_.n : begin + job_.grain;
      try {
        job_.call(job_.f, begin, end);
      } catch (...) {
        keep_error(i);
      }
    }
    inside_chunk = false;
  }

  // The error of the first chunk that failed is the one a serial loop would have raised: earlier
  // chunks were all taken before, and run to their end.
  void keep_error(int64_t chunk) {
    next_.store(job_.chunks, std::memory_order_relaxed);
    const std::lock_guard lock(error_mutex_);
    if (chunk >= failed_) return;
    failed_ = chunk;
    error_ = std::current_exception();
  }

  std::mutex owner_;  // held while a job runs
  std::vector<std::thread> workers_;
  std::atomic<int> size_{1};
  std::atomic<bool> stopping_{false};
  int spins_ = 0;
  Job job_;
  std::mutex error_mutex_;
  int64_t failed_ = kNone;
  std::exception_ptr error_;
  alignas(64) std::atomic<uint32_t> word_{0};
  alignas(64) std::atomic<int64_t> next_{0};
};

}  // namespace

int threads() { return Pool::instance().size(); }

void set_threads(int n) { Pool::instance().resize(checked_threads(n)); }

namespace detail {

void run_chunks(int64_t n, int64_t grain, Chunk call, const void* f) {
  if (n <= 0) return;
  check(grain >= 1, "parallel_for: expected a grain of at least 1, got ", grain);
  Pool::instance().run(n, grain, call, f);
}

}  // namespace detail
}  // namespace ink
