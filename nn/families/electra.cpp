// ELECTRA (Clark et al. 2020): a discriminator, and the generator that it was trained with.
//
// Embeddings may be narrower than the body, which then begins with a projection. There is no
// pooler: a classifier reads the first token's state through a GELU layer of its own.
#include "nn/config.h"

namespace ink {
namespace {

void read_config(const Json& json, ModelConfig& config) {
  expect_value(json, "summary_type", "first");
  expect_value(json, "summary_activation", "gelu");
  expect_value(json, "summary_use_proj", true);
  config.embedding_size =
      json.has("embedding_size") ? json.integer_between("embedding_size", 1, 1 << 20) : 128;
  config.choice_dropout = json.real("summary_last_dropout", 0.1);
}

}  // namespace

const Family& electra_family() {
  static const Family family{
      .model_type = "electra",
      .prefix = "electra",
      .body = "ElectraModel",
      .architectures = {{"ElectraForPreTraining", {.replaced = true}},
                        {"ElectraForMaskedLM", {.masked_lm = true}},
                        {"ElectraForSequenceClassification", {.classification = true}},
                        {"ElectraForMultipleChoice", {.choice = true}},
                        {"ElectraForTokenClassification", {.tagging = true}},
                        {"ElectraForQuestionAnswering", {.span = true}}},
      .embeddings = {.projection = "embeddings_project"},
      .masked_lm = {.dense = "generator_predictions.dense",
                    .norm = "generator_predictions.LayerNorm",
                    .bias = "generator_lm_head",
                    .decoder = "generator_lm_head",
                    .activation = Activation::gelu},
      .classifier = {.summary = Summary::first_token,
                     .dense = "classifier.dense",
                     .activation = Activation::gelu,
                     .dropout_before_dense = true,
                     .classes = "classifier.out_proj"},
      .choice = {.summary = Summary::first_token,
                 .dense = "sequence_summary.summary",
                 .activation = Activation::gelu},
      .read_config = read_config,
  };
  return family;
}

}  // namespace ink
