// The models and batches of tools/golden/distill_steps.py.
#pragma once
#include <string>
#include <vector>

#include "compress/match_loss.h"
#include "tensor/ops.h"
#include "tests/compress/helpers.h"
#include "tests/nn/golden_weights.h"

namespace ink::testing {

inline ValueSource step_weights(const std::string& whose) {
  return [whose](const std::string& name, const Shape& shape, const Initial& initial) {
    return golden_weights(1.0f)(whose + name, shape, initial);
  };
}

inline Model step_teacher() {
  return Model(tiny_config(4, 2, 20, 12), {.pooler = true, .classification = true},
               step_weights("teacher."));
}
inline Model step_student() {
  return Model(tiny_config(2, 2, 10, 8), {.pooler = true, .classification = true},
               step_weights("student."));
}

inline ModelOutputs step_outputs(const Model& model, const Packed& batch) {
  Encoded e = model.body(batch, {.all_hidden = true, .attention_inputs = true});
  return {.logits = model.classification->logits(model.body.pool(e.hidden, batch.offsets)),
          .hidden = std::move(e.all_hidden),
          .attention = std::move(e.attention),
          .heads = model.config.heads_per_layer};
}

inline SafeTensors step_golden() {
  return SafeTensors(std::filesystem::path(INK_SOURCE_DIR) /
                     "tests/golden/distill_steps.safetensors");
}

struct StepBatch {
  Packed inputs = {};
  Tensor labels = {};
};

inline std::vector<StepBatch> step_batches() {
  const SafeTensors golden = step_golden();
  std::vector<StepBatch> batches;
  for (const char* step : {"batch.0.", "batch.1.", "batch.2."}) {
    const auto stored = [&](const char* what) { return golden.tensor(std::string(step) + what); };
    const Tensor offsets = stored("offsets");
    std::vector<std::vector<int32_t>> ids, segments;
    for (int64_t b = 0; b + 1 < offsets.dim(0); ++b) {
      const int32_t begin = offsets.data<int32_t>()[b], end = offsets.data<int32_t>()[b + 1];
      ids.push_back(to_vector<int32_t>(slice(stored("ids"), 0, begin, end)));
      segments.push_back(to_vector<int32_t>(slice(stored("segments"), 0, begin, end)));
    }
    batches.push_back({pack(ids, segments), stored("labels")});
  }
  return batches;
}

}  // namespace ink::testing
