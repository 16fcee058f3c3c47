// Positions within sequences → rows of the packed matrix.
#include "objectives/batch.h"

#include <utility>

#include "nn/fill.h"
#include "tensor/error.h"

namespace ink {
namespace {

FactorizationOrder order_of(const Corrupted& c) {
  FactorizationOrder order{c.ranks, std::vector<uint8_t>(c.ranks.size())};
  for (const int32_t position : c.positions) order.is_target[static_cast<size_t>(position)] = 1;
  return order;
}

Tensor visible_in(const FactorizationOrder& order) {
  const size_t T = order.ranks.size();
  Tensor visible(Shape{static_cast<int64_t>(T), static_cast<int64_t>(T)});
  float* out = visible.data<float>();
  for (size_t i = 0; i < T; ++i)
    for (size_t j = 0; j < T; ++j) *out++ = order.sees(i, j) ? 1 : 0;
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
    if (!c.ranks.empty()) batch.orders.push_back(order_of(c));
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

PretrainBatch with_filled_rows(PretrainBatch batch, int64_t multiple) {
  check(!batch.places, "with_filled_rows: expected a batch without places");
  std::vector<int32_t> rows = to_vector<int32_t>(batch.rows);
  rows.resize(static_cast<size_t>(up_to(std::ssize(rows), multiple)));
  batch.rows = from(rows);
  batch.labels = filled_labels(batch.labels, std::ssize(rows));
  return batch;
}

PretrainBatch with_filled_inputs(PretrainBatch batch, int64_t longest) {
  batch.inputs = filled(batch.inputs, {}, longest);
  batch.pair_labels = filled_labels(batch.pair_labels, batch.inputs.sequences());
  return batch;
}

std::vector<Tensor> PretrainBatch::visible() const {
  std::vector<Tensor> all;
  all.reserve(orders.size());
  for (const FactorizationOrder& order : orders) all.push_back(visible_in(order));
  return all;
}

}  // namespace ink
