// Rows of texts, and of tokens with a tag.
#include "compress/labelled.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "nn/ragged.h"
#include "tasks/question_features.h"
#include "tensor/ops.h"

namespace ink {

ModelOutputs Labelled::of(ModelOutputs outputs) const {
  if (rows) outputs.logits = gather_rows(outputs.logits, rows);
  if (offsets) {
    const auto [starts, ends] = starts_and_ends(outputs.logits, offsets);
    outputs.logits = concat({starts, ends}, 0);
  }
  return outputs;
}

Labelled labelled(const FeatureBatch& batch, const Task& task) {
  const auto texts = static_cast<double>(batch.rows.size());
  if (task.heads.span) {
    const AnswerEnds truth = answer_ends(batch);
    auto labels = to_vector<int32_t>(truth.starts);
    std::ranges::copy(to_vector<int32_t>(truth.ends), std::back_inserter(labels));
    return {{}, batch.inputs.offsets, from(labels), texts};
  }
  if (!task.heads.tagging) return {{}, {}, batch.labels, texts};
  const auto all = to_vector<int32_t>(batch.labels);
  std::vector<int32_t> rows, labels;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i] == kIgnore) continue;
    rows.push_back(static_cast<int32_t>(i));
    labels.push_back(all[i]);
  }
  const auto count = static_cast<double>(rows.size());
  if (rows.size() == all.size()) return {{}, {}, batch.labels, count};
  return {from(rows), {}, from(labels), count};
}

BatchFacts facts_of(const FeatureBatch& batch, const Task& task) {
  const Labelled known = labelled(batch, task);
  return {.labels = known.labels,
          .offsets = batch.inputs.offsets,
          .weight = known.count,
          .tokens = batch.inputs.tokens()};
}

}  // namespace ink
