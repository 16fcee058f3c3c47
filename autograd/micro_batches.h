// The micro-batches of a step, dealt out over processes: number i is computed by process i mod W.
//
//   std::vector<MicroResult> mine = …;                        // of this process, in order
//   const auto all = share_results(processes, mine, whole);  // of all, in order of i
//
// What a process did is told to all others, so that each has the same losses, weights and metrics
// as if it had computed every micro-batch itself.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "autograd/communicator.h"
#include "autograd/metrics.h"

namespace ink {

struct MicroResult {
  int64_t number = 0;  // i, within the step
  double loss = 0, weight = 0;
  int64_t tokens = 0;
  Metrics metrics = {};
  // Name and factor of the metrics that a device still computes (autograd/deferred_steps.h).
  Metrics measures = {};
};

// The results of all processes by number. Nothing when any of them did not finish its share
// (whole = false): then the step is no step.
std::optional<std::vector<MicroResult>> share_results(Communicator& processes,
                                                      const std::vector<MicroResult>& mine,
                                                      bool whole);

}  // namespace ink
