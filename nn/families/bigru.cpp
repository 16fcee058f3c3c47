// BiGRU: a small recurrent model for distillation; the body is nn/bigru.h.
//
// The classes are ours: no other library has them. A classifier reads the mean of the states: it
// shows the loss to every token at once, where the last states would show it to the ends alone, and
// to the others only through as many steps as lie between.
#include "nn/config.h"

namespace ink {

const Family& bigru_family() {
  static const Family family{
      .model_type = "bigru",
      .prefix = "bigru",
      .body = "BiGruModel",
      .body_kind = BodyKind::bigru,
      .architectures = {{"BiGruForMaskedLM", {.masked_lm = true}},
                        {"BiGruForSequenceClassification", {.classification = true}},
                        {"BiGruForMultipleChoice", {.choice = true}},
                        {"BiGruForTokenClassification", {.tagging = true}},
                        {"BiGruForQuestionAnswering", {.span = true}}},
      .keys = {.heads = nullptr, .ffn = "gru_size", .attention_dropout = "hidden_dropout_prob"},
      .classifier = {.summary = Summary::mean},
      .choice = {.summary = Summary::mean},
  };
  return family;
}

}  // namespace ink
