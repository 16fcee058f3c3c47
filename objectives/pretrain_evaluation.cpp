// Sums over batches, divided once at the end.
#include "objectives/pretrain_evaluation.h"

#include <algorithm>
#include <cmath>

#include "objectives/losses.h"
#include "objectives/replaced_tokens.h"

namespace ink {
namespace {

struct Tally {
  double loss = 0, right = 0, count = 0;

  // logits (M, L), labels (M); `counted` of them are not kIgnore
  void add(const Tensor& logits, const Tensor& labels, int64_t counted) {
    if (counted == 0) return;
    loss += cross_entropy(logits, labels).item() * static_cast<double>(counted);
    const Tensor guesses = on_host(argmax(logits));
    const int32_t *guess = guesses.data<int32_t>(), *label = labels.data<int32_t>();
    for (int64_t i = 0; i < labels.size(); ++i) right += guess[i] == label[i];
    count += static_cast<double>(counted);
  }
  // logits (N), truth (N): 0 or 1
  void add_binary(const Tensor& logits, const Tensor& truth) {
    const int64_t N = logits.size();
    loss += binary_cross_entropy(logits, like(logits, truth)).item() * static_cast<double>(N);
    const Tensor l = on_host(logits);
    for (int64_t i = 0; i < N; ++i)
      right += (l.data<float>()[i] > 0) == (truth.data<float>()[i] > 0);
    count += static_cast<double>(N);
  }
  void report(Evaluation& out, const std::string& name, double weight = 1) const {
    if (count == 0) return;
    out.score -= weight * loss / count;
    out.metrics.emplace_back(name + "loss", loss / count);
    out.metrics.emplace_back(name + "accuracy", right / count);
  }
};

// How many of the tokens belong where they stand.
int64_t in_place(const PretrainBatch& batch) {
  const int32_t *row = batch.rows.data<int32_t>(), *place = batch.places.data<int32_t>();
  const Tensor& offsets = batch.inputs.offsets;
  const std::span starts(offsets.data<int32_t>(), static_cast<size_t>(offsets.size()));
  int64_t count = 0;
  for (int64_t i = 0; i < batch.rows.size(); ++i)
    count += row[i] - *std::prev(std::ranges::upper_bound(starts, row[i])) == place[i];
  return count;
}

struct Tallies {
  Tally tokens, places, replaced, pairs;
  int64_t own_places = 0;

  void add(const PretrainModel& m, const PretrainBatch& batch, const Random& samples) {
    const Model& reader = m.generator ? *m.generator : m.model;
    const Tensor hidden = hidden_states(reader, batch);
    Tensor logits;
    if (reader.masked_lm && batch.predictions() > 0) {
      logits = reader.masked_lm->logits(gather_rows(hidden, batch.rows));
      tokens.add(logits, batch.labels, batch.predictions());
    }
    if (m.generator) {
      const Replaced r = replace_tokens(batch, sample_tokens(logits, samples), Dtype::f32);
      replaced.add_binary(m.model.replaced->logits(m.model.body(r.inputs).hidden), r.replaced);
    }
    if (m.model.position && batch.predictions() > 0) {
      const Tensor scores = m.model.position->scores(hidden, batch.inputs.offsets, batch.rows);
      places.add(reshape(scores, {scores.dim(0) * scores.dim(1), scores.dim(2)}),
                 PositionHead::labels_of_scores(batch.inputs.offsets, batch.rows, batch.places),
                 batch.predictions());
      own_places += in_place(batch);
    }
    if (m.model.pair && batch.counts.pairs > 0) {
      const Tensor pooled = m.model.body.pool(hidden, batch.inputs.offsets);
      pairs.add(m.model.pair->logits(pooled), batch.pair_labels, batch.counts.pairs);
    }
  }
};

}  // namespace

Evaluation evaluate_pretraining(const PretrainModel& m, std::span<const PretrainBatch> batches) {
  Tallies tallies;
  for (size_t i = 0; i < batches.size(); ++i) tallies.add(m, batches[i], Random(0).split(i));
  Evaluation out;
  tallies.tokens.report(out, "");
  if (tallies.tokens.count > 0)
    out.metrics.emplace_back("perplexity", std::exp(tallies.tokens.loss / tallies.tokens.count));
  tallies.places.report(out, "position_");
  if (tallies.places.count > 0)
    out.metrics.emplace_back("position_own_place",
                             static_cast<double>(tallies.own_places) / tallies.places.count);
  tallies.replaced.report(out, "replaced_", m.replaced_weight);
  tallies.pairs.report(out, "pair_");
  return out;
}

}  // namespace ink
