// Rows of texts, and of tokens with a tag.
#include "compress/labelled.h"

#include <vector>

#include "tensor/ops.h"

namespace ink {

ModelOutputs Labelled::of(ModelOutputs outputs) const {
  if (rows) outputs.logits = gather_rows(outputs.logits, rows);
  return outputs;
}

Labelled labelled(const FeatureBatch& batch, const Task& task) {
  if (!task.heads.tagging) return {{}, batch.labels, static_cast<double>(batch.rows.size())};
  const auto all = to_vector<int32_t>(batch.labels);
  std::vector<int32_t> rows, labels;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == kIgnore) continue;
    rows.push_back(static_cast<int32_t>(i));
    labels.push_back(all[i]);
  }
  const auto count = static_cast<double>(rows.size());
  if (rows.size() == all.size()) return {{}, batch.labels, count};
  return {from(rows), from(labels), count};
}

BatchFacts facts_of(const FeatureBatch& batch, const Task& task) {
  const Labelled known = labelled(batch, task);
  return {.labels = known.labels,
          .offsets = batch.inputs.offsets,
          .weight = known.count,
          .tokens = batch.inputs.tokens()};
}

}  // namespace ink
