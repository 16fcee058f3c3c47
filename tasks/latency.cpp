// Timing in turns, and what is timed.
#include "tasks/latency.h"

#include <algorithm>
#include <chrono>

#include "tensor/error.h"
#include "tensor/op.h"

namespace ink {

std::vector<Latency> latencies(std::span<const std::function<void(int64_t round)>> calls,
                               int64_t rounds, int64_t warm_up_rounds) {
  check(rounds > 0 && warm_up_rounds >= 0, "latency: expected at least one round, got ", rounds);
  using Clock = std::chrono::steady_clock;
  std::vector<std::vector<double>> times(calls.size());
  for (int64_t round = -warm_up_rounds; round < rounds; ++round) {
    for (size_t i = 0; i < calls.size(); ++i) {
      const auto start = Clock::now();
      calls[i](std::max<int64_t>(round, 0));
      if (round >= 0)
        times[i].push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
  }
  std::vector<Latency> all;
  for (std::vector<double>& t : times) {
    const auto middle = t.begin() + static_cast<ptrdiff_t>(t.size() / 2);
    std::ranges::nth_element(t, middle);
    all.push_back({.median = *middle, .quickest = *std::ranges::min_element(t)});
  }
  return all;
}

std::vector<double> median_milliseconds(std::span<const std::function<void(int64_t round)>> calls,
                                        int64_t rounds, int64_t warm_up_rounds) {
  std::vector<double> medians;
  for (const Latency& latency : latencies(calls, rounds, warm_up_rounds))
    medians.push_back(latency.median);
  return medians;
}

Packed uniform_batch(int64_t sequences, int64_t length) {
  std::vector<int32_t> positions, offsets = {0};
  for (int64_t s = 0; s < sequences; ++s) {
    for (int32_t i = 0; i < length; ++i) positions.push_back(i);
    offsets.push_back(static_cast<int32_t>(positions.size()));
  }
  const Shape n{sequences * length};
  return {zeros(n, Dtype::i32), zeros(n, Dtype::i32), from(positions), from(offsets)};
}

}  // namespace ink
