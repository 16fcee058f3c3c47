// Prefetch: results of a function, computed ahead on one thread and handed out in order.
//
// The producer runs until it returns nothing; at most `depth` results wait. An exception of the
// producer reaches the consumer after the results made before it. Destruction stops the producer
// after the result it is working on, whether or not all was consumed.
//
//   Prefetch<Batch> ahead([&]() -> std::optional<Batch> { return reader.next(); }, 4);
//   while (std::optional<Batch> batch = ahead.next()) train(*batch);
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "tensor/error.h"

namespace ink {

template <class T>
class Prefetch {
 public:
  // `produce` is called on the thread only, so what it alone uses needs no lock.
  explicit Prefetch(std::function<std::optional<T>()> produce, size_t depth = 2)
      : produce_(std::move(produce)), depth_(depth) {
    check(depth_ > 0, "prefetch: expected a depth above 0, got ", depth_);
    thread_ = std::thread([this] { run(); });
  }
  ~Prefetch() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  // The next result; nothing when the producer has ended. Call from one thread at a time.
  std::optional<T> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !ready_.empty() || ended_; });
    if (ready_.empty()) {
      if (error_) std::rethrow_exception(error_);
      return std::nullopt;
    }
    std::optional<T> result(std::move(ready_.front()));
    ready_.pop_front();
    lock.unlock();
    changed_.notify_all();
    return result;
  }

 private:
  void run() {
    try {
      while (wait_for_room()) {
        std::optional<T> result = produce_();
        if (!result) break;
        {
          const std::lock_guard lock(mutex_);
          ready_.push_back(std::move(*result));
        }
        changed_.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      error_ = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }
  bool wait_for_room() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ready_.size() < depth_ || stop_; });
    return !stop_;
  }

  std::function<std::optional<T>()> produce_;
  size_t depth_;
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  std::deque<T> ready_;
  std::exception_ptr error_;
  bool ended_ = false, stop_ = false;
  std::thread thread_;
};

}  // namespace ink
