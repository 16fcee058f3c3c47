// How fast a pruned model is: encoding, before and after in turns, and what a cost table predicts.
#pragma once
#include <optional>

#include "compress/cost_table.h"
#include "nn/model.h"
#include "tasks/latency.h"

namespace ink {

struct PruningSpeed {
  int64_t batch = 1, length = 128;  // sequences and their tokens
  int threads = 1;
  std::string kernels;
  // Milliseconds of encoding, measured: the medians, and the quickest runs.
  Latency before = {}, after = {};
  // By the table of the model after; absent where its family is not timed. Before: only where the
  // table is of the same hidden size.
  std::optional<double> predicted_before = {}, predicted_after = {};
};

// Takes a few seconds. `table`, where there is one that fits, is used; else one is measured where
// the family allows it. Raises Error for a length that the models cannot read.
PruningSpeed measure_speed(const Model& before, const Model& after, int64_t batch, int64_t length,
                           std::optional<CostTable>& table);

// {"batch": 1, "length": 128, "threads": 2, "kernels": …, "measured_before_ms": …,
//  "quickest_before_ms": …, "predicted_before_ms": …, and the same of after}
Json to_json(const PruningSpeed& speed);

}  // namespace ink
