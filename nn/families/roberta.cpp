// RoBERTa (Liu et al. 2019); XLM-R (Conneau et al. 2020) and with it CINO (Yang et al. 2022).
//
// BERT's body with positions that count from the padding id + 1: the first token's is 2, and
// padding, should a text spell it out, is not counted and has the position of its own id. A
// classifier reads the first token's state, not the pooler, through a tanh layer of its own;
// multiple choice reads the pooler.
#include "nn/config.h"

namespace ink {
namespace {

void read_config(const Json& json, ModelConfig& config) {
  config.pad_token_id = 1;
  config.positions_after_padding = true;
  config.choice_dropout = json.real("hidden_dropout_prob", 0.1);
}

Family family_named(const char* model_type, const char* body,
                    std::vector<Architecture> architectures) {
  return {
      .model_type = model_type,
      .prefix = "roberta",
      .body = body,
      .architectures = std::move(architectures),
      .pooler = "pooler.dense",
      .masked_lm = {.dense = "lm_head.dense",
                    .norm = "lm_head.layer_norm",
                    .bias = "lm_head",
                    .decoder = "lm_head.decoder",
                    .activation = Activation::gelu},
      .classifier = {.summary = Summary::first_token,
                     .dense = "classifier.dense",
                     .activation = Activation::tanh,
                     .dropout_before_dense = true,
                     .classes = "classifier.out_proj"},
      .read_config = read_config,
  };
}

}  // namespace

const Family& roberta_family() {
  static const Family family =
      family_named("roberta", "RobertaModel",
                   {{"RobertaForMaskedLM", {.masked_lm = true}},
                    {"RobertaForSequenceClassification", {.classification = true}},
                    {"RobertaForMultipleChoice", {.pooler = true, .choice = true}},
                    {"RobertaForTokenClassification", {.tagging = true}},
                    {"RobertaForQuestionAnswering", {.span = true}}});
  return family;
}

const Family& xlm_roberta_family() {
  static const Family family =
      family_named("xlm-roberta", "XLMRobertaModel",
                   {{"XLMRobertaForMaskedLM", {.masked_lm = true}},
                    {"XLMRobertaForSequenceClassification", {.classification = true}},
                    {"XLMRobertaForMultipleChoice", {.pooler = true, .choice = true}},
                    {"XLMRobertaForTokenClassification", {.tagging = true}},
                    {"XLMRobertaForQuestionAnswering", {.span = true}}});
  return family;
}

}  // namespace ink
