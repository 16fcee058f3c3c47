// How much more memory a function needs while it runs, as the kernel counts it.
#pragma once
#include <gtest/gtest.h>

#include <cstdint>
#include <fstream>
#include <string>

#include "tensor/error.h"

// A sanitizer uses memory of its own, so these tests say nothing there.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INK_SKIP_MEMORY_TEST() GTEST_SKIP() << "sanitizers use memory of their own"
#else
#define INK_SKIP_MEMORY_TEST() static_cast<void>(0)
#endif

namespace ink::testing {

// The highest resident memory of this process, in bytes; -1 where the system does not say.
inline int64_t peak_memory() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmHWM:")) return 1024 * std::stoll(line.substr(6));
  }
  return -1;
}

// Expects that f(), which may raise Error, needs no more than 8 times `file_bytes` and 16 MiB.
template <class F>
void expect_bounded_memory(size_t file_bytes, const F& f) {
  std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
  const int64_t before = peak_memory();
  try {
    f();
  } catch (const Error&) {  // the expected answer to damage
  }
  EXPECT_LE(peak_memory() - before, static_cast<int64_t>(8 * file_bytes + (16 << 20)));
}

}  // namespace ink::testing
