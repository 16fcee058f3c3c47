// Putting body and heads together.
#include "nn/model.h"

#include <utility>

namespace ink {
namespace {

Heads with_pooler_where_needed(const ModelConfig& config, Heads heads) {
  const Family& family = *config.family;
  check(heads.classification + heads.choice + heads.tagging <= 1,
        "model: classification, multiple choice and tagging share the name 'classifier'; ",
        "expected at most one of them");
  check(!heads.pair || family.pooler, "model: ", family.model_type,
        " has no pooler for a head of pairs");
  heads.pooler |= heads.pair ||
                  (heads.classification && family.classifier.summary == Summary::pooled) ||
                  (heads.choice && family.choice.summary == Summary::pooled);
  return heads;
}

}  // namespace

Model::Model(ModelConfig config_, const Heads& heads_, const ValueSource& values)
    : config(std::move(config_)),
      heads(with_pooler_where_needed(config, heads_)),
      body(Scope(parameters, values) / config.family->prefix, config, heads.pooler) {
  const Scope root(parameters, values);
  if (heads.masked_lm) masked_lm.emplace(root, config, body.words());
  if (heads.pair) pair.emplace(root / config.family->pair, config);
  if (heads.replaced) replaced.emplace(root, config);
  if (heads.classification) classification.emplace(root, config);
  if (heads.choice) choice.emplace(root, config);
  if (heads.tagging) tagging.emplace(root / "classifier", config);
  if (heads.span) span.emplace(root / "qa_outputs", config);
  if (heads.position) position.emplace(root / "cls" / "positions", config);
}

Tensor Model::summary(const Tensor& hidden, const Tensor& offsets) const {
  const Family& family = *config.family;
  return body.summary(hidden, offsets, (heads.choice ? family.choice : family.classifier).summary);
}

void Model::move(const Place& place) {
  unpack();
  if (place.int8) {
    body.quantize(place);
    parameters.own();  // lets go of the file
  }
  for (Parameter& p : parameters) {
    if (!p.quantized) p.value = to(converted(p.value, place.dtype), place.device);
  }
}

void Model::pack() {
  body.pack();
  if (masked_lm) masked_lm->pack();
}

void Model::unpack() {
  body.unpack();
  if (masked_lm) masked_lm->unpack();
}

}  // namespace ink
