// Loops whose loads are under way together.
//
// A thread that reads, uses what it read and reads on waits for memory each time. How many bytes a
// thread of a kernel reads before it waits is recorded in tests/cuda/machine_code.tsv, because the
// compiler decides it: it takes loads apart where branches meet, and saves registers in kernels
// without launch bounds.
#pragma once
#include <type_traits>

#include "cuda/kernel.cuh"

namespace ink::cuda {

// add(load(i), i) for i = first, first + step, … below end, in this order. U loads are under way
// before the first is used; at the end, load(the first of them) stands for those that are missing.
template <int U, class Load, class Add>
INK_DEVICE void each_in_flight(int64_t first, int64_t end, int64_t step, const Load& load,
                               const Add& add) {
  const auto group = [&](int64_t i, auto whole) {
    decltype(load(i)) at[U];
#pragma unroll
    for (int u = 0; u < U; ++u) at[u] = load(whole || i + u * step < end ? i + u * step : i);
#pragma unroll
    for (int u = 0; u < U; ++u) {
      if (whole || i + u * step < end) add(at[u], i + u * step);
    }
  };
  int64_t i = first;
  for (; i + (U - 1) * step < end; i += U * step) group(i, std::true_type{});
  if (i < end) group(i, std::false_type{});
}

}  // namespace ink::cuda
