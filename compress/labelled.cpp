// Rows of texts, and of tokens with a tag.
#include "compress/labelled.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "nn/ragged.h"
#include "tasks/question_features.h"
#include "tensor/ops.h"

namespace ink {

namespace {

// (N, 2) → (2B, T), T the longest sequence; scores of tokens that a sequence lacks are never.
Tensor as_starts_and_ends(const Tensor& logits, const Tensor& offsets) {
  const Tensor scores = to_rectangle(logits, rectangle(offsets), kNever);  // (B, T, 2)
  const int64_t B = scores.dim(0), T = scores.dim(1);
  return concat({reshape(slice(scores, 2, 0, 1), {B, T}), reshape(slice(scores, 2, 1, 2), {B, T})},
                0);
}

}  // namespace

ModelOutputs Labelled::of(ModelOutputs outputs) const {
  if (rows) outputs.logits = gather_rows(outputs.logits, rows);
  if (offsets) outputs.logits = as_starts_and_ends(outputs.logits, offsets);
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
