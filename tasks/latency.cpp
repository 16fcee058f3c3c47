// Timing in turns.
#include "tasks/latency.h"

#include <algorithm>
#include <chrono>

#include "tensor/error.h"

namespace ink {

std::vector<double> median_milliseconds(std::span<const std::function<void(int64_t round)>> calls,
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
  std::vector<double> medians;
  for (std::vector<double>& t : times) {
    const auto middle = t.begin() + static_cast<ptrdiff_t>(t.size() / 2);
    std::ranges::nth_element(t, middle);
    medians.push_back(*middle);
  }
  return medians;
}

std::vector<Latency> measure_latency(std::span<const Session* const> sessions, const Features& data,
                                     int64_t rounds) {
  const auto median_of = [&](int64_t size) {
    std::vector<std::function<void(int64_t)>> calls;
    for (const Session* session : sessions) {
      calls.emplace_back([&data, session, size](int64_t round) {
        std::vector<int64_t> rows;
        for (int64_t i = 0; i < size; ++i) rows.push_back((round * size + i) % data.size());
        session->logits(data.batch(rows).inputs);
      });
    }
    return median_milliseconds(calls, rounds);
  };
  const std::vector<double> one = median_of(1), thirty_two = median_of(32);
  std::vector<Latency> result;
  for (size_t i = 0; i < sessions.size(); ++i) result.push_back({one[i], thirty_two[i]});
  return result;
}

}  // namespace ink
