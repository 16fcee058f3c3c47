// Heads on hidden states, term by term.
#include "objectives/losses.h"

#include "nn/replay.h"
#include "objectives/replaced_tokens.h"

namespace ink {
namespace {

std::vector<LossTerm> losses_of_heads(const Model& model, const PretrainBatch& batch,
                                      const Tensor& hidden, const Random* random) {
  std::vector<LossTerm> terms;
  if (model.masked_lm && batch.predictions() > 0) {
    terms.push_back({"mlm_loss", model.masked_lm->loss(hidden, batch.rows, batch.labels), 1,
                     &PretrainCounts::predictions});
  }
  if (model.position && batch.predictions() > 0) {
    terms.push_back(
        {"position_loss",
         model.position->loss(hidden, batch.inputs.offsets, batch.rows, batch.places, random), 1,
         &PretrainCounts::predictions});
  }
  if (model.pair && batch.counts.pairs > 0) {
    const Tensor pooled = model.body.pool(hidden, batch.inputs.offsets);
    terms.push_back(
        {"pair_loss", model.pair->loss(pooled, batch.pair_labels), 1, &PretrainCounts::pairs});
  }
  return terms;
}

// Both models of ELECTRA. The generator's logits are kept: its loss and its samples need them.
std::vector<LossTerm> losses_of_both(const PretrainModel& m, const PretrainBatch& batch,
                                     const EncoderOptions& options, const Random& samples) {
  EncoderOptions of_generator = options;
  const Random stream = options.random ? options.random->split("generator") : Random(0);
  if (options.random) of_generator.random = &stream;
  const Tensor rows = gather_rows(hidden_states(*m.generator, batch, of_generator), batch.rows);
  const Tensor logits = m.generator->masked_lm->logits(rows);
  const Replaced r = replace_tokens(batch, sample_tokens(logits, samples), logits.dtype());
  const Tensor hidden = m.model.body(r.inputs, options).hidden;
  return {{"mlm_loss", cross_entropy(logits, batch.labels), 1, &PretrainCounts::predictions},
          {"replaced_loss", m.model.replaced->loss(hidden, r.replaced), m.replaced_weight,
           &PretrainCounts::tokens}};
}

}  // namespace

Tensor hidden_states(const Model& model, const PretrainBatch& batch,
                     const EncoderOptions& options) {
  if (batch.orders.empty()) return model.body(batch.inputs, options).hidden;
  const auto* body = std::get_if<XlnetBody>(&model.body.kind);
  check(body, "plm: expected a model of two streams, got ", model.config.family->model_type);
  return body->two_streams(batch.inputs, batch.visible(), options.random).query;
}

std::vector<LossTerm> pretrain_losses(const PretrainModel& m, const PretrainBatch& batch,
                                      const EncoderOptions& options, const Random& samples) {
  if (m.generator) return losses_of_both(m, batch, options, samples);
  return losses_of_heads(m.model, batch, hidden_states(m.model, batch, options), options.random);
}

std::string obstacle_to_replay(const PretrainModel& m, const PretrainBatch& batch) {
  if (m.generator) return "the host draws the tokens that replace others";
  if (m.model.position)
    return "positions are predicted: how many there are differs from text to text";
  if (!batch.orders.empty()) return "every text has an order of its own";
  return obstacle_to_replay(m.model, batch.inputs);
}

}  // namespace ink
