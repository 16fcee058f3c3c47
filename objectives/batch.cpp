// Positions within sequences → rows of the packed matrix.
#include "objectives/batch.h"

#include <utility>

#include "objectives/factorization.h"
#include "tensor/error.h"

namespace ink {
namespace {

// (T, T): 1 where token i sees token j.
Tensor visible_of(const Corrupted& c) {
  const size_t T = c.inputs.size();
  std::vector<uint8_t> is_target(T);
  for (const int32_t position : c.positions) is_target[static_cast<size_t>(position)] = 1;
  Tensor visible(Shape{static_cast<int64_t>(T), static_cast<int64_t>(T)});
  float* out = visible.data<float>();
  for (size_t i = 0; i < T; ++i)
    for (size_t j = 0; j < T; ++j) *out++ = sees(c.ranks, is_target, i, j) ? 1 : 0;
  return visible;
}

}  // namespace

PretrainBatch make_batch(std::span<const Instance* const> instances,
                         std::span<const Corrupted> corrupted) {
  check(instances.size() == corrupted.size() && !instances.empty(),
        "make_batch: expected as many instances as corruptions, one or more, got ",
        instances.size(), " and ", corrupted.size());
  std::vector<std::vector<int32_t>> ids, segments;
  std::vector<int32_t> rows, labels, places, pair_labels;
  int32_t first_row = 0;
  PretrainBatch batch;
  for (size_t i = 0; i < instances.size(); ++i) {
    const Corrupted& c = corrupted[i];
    for (const int32_t position : c.positions) rows.push_back(first_row + position);
    labels.insert(labels.end(), c.labels.begin(), c.labels.end());
    places.insert(places.end(), c.places.begin(), c.places.end());
    if (!c.ranks.empty()) batch.visible.push_back(visible_of(c));
    pair_labels.push_back(instances[i]->pair_label);
    batch.counts.pairs += instances[i]->pair_label != kIgnore;
    ids.push_back(c.inputs);
    segments.push_back(instances[i]->segments);
    first_row += static_cast<int32_t>(c.inputs.size());
  }
  batch.counts.tokens = first_row;
  batch.counts.predictions = std::ssize(rows);
  batch.inputs = pack(ids, segments);
  batch.rows = from(rows);
  batch.labels = from(labels);
  if (!places.empty()) batch.places = from(places);
  batch.pair_labels = from(pair_labels);
  return batch;
}

}  // namespace ink
