// What the in-place updates (update.cpp, optimizer_steps.cpp) have in common.
#pragma once
#include "tensor/sums.h"

namespace ink {

// Raises Error unless the tensor's elements may be written where they lie, as one array.
inline void expect_writable(const char* name, const char* argument, const Tensor& x) {
  check(static_cast<bool>(x), "", name, ": ", argument, " is an undefined tensor");
  check(x.is_contiguous(), "", name, ": ", argument, " should be contiguous, got strides ",
        x.strides());
  check(!x.storage()->borrowed(), "", name, ": ", argument,
        " lies in a mapped file, which is read-only; copy it first (Parameters::own)");
}

// Calls kernel(begin, end) for chunks of [0, n), compiled for this processor.
template <class Kernel>
void for_each_chunk(int64_t n, const Kernel& kernel) {
  parallel_for(n, grain_for(1),
               [&](int64_t begin, int64_t end) { simd::run([&] { kernel(begin, end); }); });
}

// i → x[i]² in f64, for sum_in_f64.
template <class T>
auto square_of(const T* x) {
  return [x](int64_t i) { return static_cast<double>(x[i]) * static_cast<double>(x[i]); };
}

}  // namespace ink
