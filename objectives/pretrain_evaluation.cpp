// Sums over batches, divided once at the end.
#include "objectives/pretrain_evaluation.h"

#include <cmath>

namespace ink {
namespace {

struct Tally {
  double loss = 0, right = 0, count = 0;

  // logits (M, L), labels (M); `counted` of them are not kIgnore
  void add(const Tensor& logits, const Tensor& labels, int64_t counted) {
    if (counted == 0) return;
    loss += cross_entropy(logits, labels).item() * static_cast<double>(counted);
    const Tensor guesses = argmax(logits);
    const int32_t *guess = guesses.data<int32_t>(), *label = labels.data<int32_t>();
    for (int64_t i = 0; i < labels.size(); ++i) right += guess[i] == label[i];
    count += static_cast<double>(counted);
  }
};

}  // namespace

Evaluation evaluate_pretraining(const Model& model, std::span<const PretrainBatch> batches) {
  Tally masked, pairs;
  for (const PretrainBatch& batch : batches) {
    const Encoded e = model.body(batch.inputs);
    if (batch.predictions() > 0) {
      masked.add(model.masked_lm->logits(gather_rows(e.hidden, batch.rows)), batch.labels,
                 batch.predictions());
    }
    if (batch.pairs > 0) {
      const Tensor pooled = model.body.pool(e.hidden, batch.inputs.offsets);
      pairs.add(model.pair->logits(pooled), batch.pair_labels, batch.pairs);
    }
  }
  Evaluation out;
  if (masked.count > 0) {
    const double mean = masked.loss / masked.count;
    out.score -= mean;
    out.metrics = {
        {"loss", mean}, {"accuracy", masked.right / masked.count}, {"perplexity", std::exp(mean)}};
  }
  if (pairs.count > 0) {
    out.score -= pairs.loss / pairs.count;
    out.metrics.emplace_back("pair_loss", pairs.loss / pairs.count);
    out.metrics.emplace_back("pair_accuracy", pairs.right / pairs.count);
  }
  return out;
}

}  // namespace ink
