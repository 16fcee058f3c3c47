// Latency of several models, measured in turns, so that a machine that slows down slows all alike.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "nn/session.h"
#include "tasks/features.h"

namespace ink {

// Median time of a call in milliseconds: every round calls each function once, one after the other.
std::vector<double> median_milliseconds(std::span<const std::function<void(int64_t round)>> calls,
                                        int64_t rounds, int64_t warm_up_rounds = 2);

struct Latency {
  double one = 0;         // milliseconds for a batch of 1 example
  double thirty_two = 0;  // for a batch of 32
};

// Round r classifies example r, and examples 32r to 32r + 31, of `data` (from the start again at
// its end) with each of the sessions. Tokenization is not included.
std::vector<Latency> measure_latency(std::span<const Session* const> sessions, const Features& data,
                                     int64_t rounds = 20);

}  // namespace ink
