// Latency of several models, measured in turns, so that a machine that slows down slows all alike.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "tensor/packed.h"

namespace ink {

// Times of a call in milliseconds: every round calls each function once, one after the other. The
// quickest is what is left where other programs take the processor from this one most of the time.
struct Latency {
  double median = 0, quickest = 0;
};
std::vector<Latency> latencies(std::span<const std::function<void(int64_t round)>> calls,
                               int64_t rounds, int64_t warm_up_rounds = 2);
// The medians alone.
std::vector<double> median_milliseconds(std::span<const std::function<void(int64_t round)>> calls,
                                        int64_t rounds, int64_t warm_up_rounds = 2);

// A batch to time: so many sequences of the token 0, all of one length.
Packed uniform_batch(int64_t sequences, int64_t length);

}  // namespace ink
