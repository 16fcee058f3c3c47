// Positions within sequences → rows of the packed matrix.
#include "objectives/batch.h"

#include <utility>
#include <vector>

#include "tensor/error.h"

namespace ink {

PretrainBatch make_batch(std::span<const Instance* const> instances,
                         std::span<const Corrupted> corrupted) {
  check(instances.size() == corrupted.size() && !instances.empty(),
        "make_batch: expected as many instances as corruptions, one or more, got ",
        instances.size(), " and ", corrupted.size());
  std::vector<std::vector<int32_t>> ids, segments;
  std::vector<int32_t> rows, labels, pair_labels;
  int32_t first_row = 0;
  PretrainBatch batch;
  for (size_t i = 0; i < instances.size(); ++i) {
    const Corrupted& c = corrupted[i];
    for (const int32_t position : c.positions) rows.push_back(first_row + position);
    labels.insert(labels.end(), c.labels.begin(), c.labels.end());
    pair_labels.push_back(instances[i]->pair_label);
    batch.pairs += instances[i]->pair_label != kIgnore;
    ids.push_back(c.inputs);
    segments.push_back(instances[i]->segments);
    first_row += static_cast<int32_t>(c.inputs.size());
  }
  batch.inputs = pack(ids, segments);
  batch.rows = from(rows);
  batch.labels = from(labels);
  batch.pair_labels = from(pair_labels);
  return batch;
}

}  // namespace ink
