// Latency of several models, measured in turns, so that a machine that slows down slows all alike.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace ink {

// Median time of a call in milliseconds: every round calls each function once, one after the other.
std::vector<double> median_milliseconds(std::span<const std::function<void(int64_t round)>> calls,
                                        int64_t rounds, int64_t warm_up_rounds = 2);

}  // namespace ink
