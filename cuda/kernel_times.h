// Where a device's time goes: while a KernelTimes lives, every kernel and product that this thread
// asks for is timed by events around it.
//
//   cuda::KernelTimes times;
//   step();
//   for (const auto& line : times.lines()) …   // waits for the device
//
// What the device idles away between them is not counted, but a kernel that is asked for while the
// device has nothing to do is charged the microseconds that its launch takes.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cuda/runtime.h"

namespace ink::cuda {

class KernelTimes {
 public:
  KernelTimes();
  ~KernelTimes();
  KernelTimes(const KernelTimes&) = delete;
  KernelTimes& operator=(const KernelTimes&) = delete;

  struct Line {
    std::string name;
    int64_t count = 0;
    double microseconds = 0;  // of all together
  };
  std::vector<Line> lines() const;  // the longest first

  // Calls ask(), which asks for one kernel; timed where a KernelTimes lives. A name may be a
  // function.
  template <class Name, class F>
  static void around(const Name& name, const F& ask) {
    if (!current) return ask();
    if constexpr (requires { name(); }) {
      current->begin(name());
    } else {
      current->begin(name);
    }
    ask();
    current->end();
  }

 private:
  struct Interval {
    std::string name;
    cudaEvent_t begin, end;
  };
  void begin(const std::string& name);
  void end();

  static thread_local KernelTimes* current;
  KernelTimes* before_;
  std::vector<Interval> intervals_;
};

}  // namespace ink::cuda
