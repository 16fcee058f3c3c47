// Packed texts, then labels.
#include "tasks/replay.h"

#include "nn/fill.h"
#include "nn/replay.h"

namespace ink {

MicroInputs inputs_of(const Model& model, const FeatureBatch& batch) {
  MicroInputs in{
      .tensors = tensors_of(batch.inputs),
      .structure = structure_of(model, batch.inputs),
      .known = {.weight = static_cast<double>(batch.rows.size()), .tokens = batch.tokens()},
      .obstacle = obstacle_to_replay(model, batch.inputs)};
  in.tensors.push_back(batch.labels);
  return in;
}

FeatureBatch batch_from(const MicroInputs& inputs) {
  return {.inputs = packed_from(inputs.tensors),
          .labels = inputs.tensors[kPackedTensors],
          .rows = std::vector<int64_t>(static_cast<size_t>(inputs.known.weight))};
}

FeatureBatch filled(const Model& model, const FeatureBatch& batch) {
  FeatureBatch all{
      .inputs = filled(batch.inputs, {}, model.config.longest()), .labels = {}, .rows = batch.rows};
  all.filling = all.inputs.tokens() - batch.inputs.tokens();
  all.labels = filled_labels(batch.labels, all.inputs.sequences());
  return all;
}

}  // namespace ink
