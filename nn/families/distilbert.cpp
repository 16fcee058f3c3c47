// DistilBERT (Sanh et al. 2019): BERT without segments and pooler, under other names.
#include "nn/config.h"

namespace ink {
namespace {

void read_config(const Json& json, ModelConfig& config) {
  config.type_vocab_size = 0;
  config.classifier_dropout = 0.2;
  config.span_dropout = json.real("qa_dropout", 0.1);
  config.tagging_dropout = json.real("dropout", 0.1);
}

void write_config(const ModelConfig& config, Json& json) {
  for (const char* key : {"type_vocab_size", "layer_norm_eps"}) restore(json, key, config.other);
  json.set("qa_dropout", config.span_dropout);
}

}  // namespace

const Family& distilbert_family() {
  static const Family family{
      .model_type = "distilbert",
      .prefix = "distilbert",
      .body = "DistilBertModel",
      .architectures = {{"DistilBertForMaskedLM", {.masked_lm = true}},
                        {"DistilBertForSequenceClassification", {.classification = true}},
                        {"DistilBertForMultipleChoice", {.choice = true}},
                        {"DistilBertForTokenClassification", {.tagging = true}},
                        {"DistilBertForQuestionAnswering", {.span = true}}},
      .keys = {.hidden_size = "dim",
               .layers = "n_layers",
               .heads = "n_heads",
               .ffn = "hidden_dim",
               .activation = "activation",
               .dropout = "dropout",
               .attention_dropout = "attention_dropout",
               .classifier_dropout = "seq_classif_dropout",
               .layer_norm_eps = nullptr},
      .embeddings = {.segment = nullptr},
      .layers = "transformer.layer",
      .layer = {.query = "attention.q_lin",
                .key = "attention.k_lin",
                .value = "attention.v_lin",
                .attention_output = "attention.out_lin",
                .attention_norm = "sa_layer_norm",
                .intermediate = "ffn.lin1",
                .output = "ffn.lin2",
                .norm = "output_layer_norm"},
      .masked_lm = {.dense = "vocab_transform",
                    .norm = "vocab_layer_norm",
                    .bias = "vocab_projector",
                    .decoder = "vocab_projector"},
      .classifier = {.summary = Summary::first_token,
                     .dense = "pre_classifier",
                     .activation = Activation::relu},
      .choice = {.summary = Summary::first_token,
                 .dense = "pre_classifier",
                 .activation = Activation::relu},
      .read_config = read_config,
      .write_config = write_config,
  };
  return family;
}

}  // namespace ink
