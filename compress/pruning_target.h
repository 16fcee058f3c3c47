// PruningTarget: how small or how fast a model should become, in terms of what it costs.
//
//   {"parameters": 0.5}                                 half of them; above 1: so many
//   {"megabytes": 20}                                   of weights in f32 on disk, 10⁶ bytes each
//   {"latency_ms": 3.0, "batch": 1, "length": 128}      to encode such a batch, on this machine
//   {"speedup": 2.0, "batch": 32, "length": 128, "table": "costs.json"}
//
// Latency is predicted by a cost table (compress/cost_table.h), read from "table" or measured.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>

#include "compress/cost_table.h"
#include "tensor/json.h"

namespace ink {

struct PruningTarget {
  enum class Kind : uint8_t { parameters, megabytes, latency_ms, speedup };
  Kind kind = Kind::parameters;
  double value = 1;
  int64_t batch = 1, length = 128;              // sequences and their tokens
  std::filesystem::path table = {};             // empty: measured
  std::shared_ptr<const CostTable> costs = {};  // what `table` holds, once it has been read
  // Tokens that parameters and megabytes are counted with, where the vocabulary is pruned too; 0:
  // those of the model. No key of the JSON: compress/prune_pipeline.h sets it.
  int64_t vocabulary = 0;

  bool timed() const { return kind == Kind::latency_ms || kind == Kind::speedup; }

  // Raises Error for unknown keys, without exactly one of the four, for values that are no target
  // (a share or speed-up that makes nothing smaller), and for a batch where nothing is timed.
  static PruningTarget from_json(const Json& json);
  Json to_json() const;
};

}  // namespace ink
