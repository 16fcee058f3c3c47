// How long the CUDA device works on a call.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

#include "cuda/event.h"

namespace ink {

// The median of `repeats` calls f(i) one after the other, i counting on from those that warm up.
template <class F>
double median_seconds(size_t repeats, const F& f) {
  constexpr size_t kWarm = 3;
  for (size_t i = 0; i < kWarm; ++i) f(i);
  std::vector<cuda::Event> marks(repeats + 1);
  marks[0].record();
  for (size_t i = 0; i < repeats; ++i) {
    f(kWarm + i);
    marks[i + 1].record();
  }
  std::vector<double> seconds;
  for (size_t i = 0; i < repeats; ++i)
    seconds.push_back(marks[i + 1].milliseconds_since(marks[i]) * 1e-3);
  std::ranges::sort(seconds);
  return seconds[repeats / 2];
}

}  // namespace ink
