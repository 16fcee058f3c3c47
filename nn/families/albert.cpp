// ALBERT (Lan et al. 2020): narrow embeddings, and layers that share their weights.
//
// Layer i of L uses the weights of group ⌊i / (L / groups)⌋, with the rounding of f64 as in Python,
// and runs that group's inner layers one after the other. There are no more groups than layers, and
// at most 1000 inner layers are run.
#include <algorithm>

#include "nn/config.h"

namespace ink {
namespace {

constexpr int64_t kMostLayers = 1000;

// What config.json asks for has to be within reason before anything is built from it.
void read_groups(const Json& json, SharedLayers& shared) {
  const int64_t layers = json.integer_between("num_hidden_layers", 0, kMostLayers);
  const auto count = [&](const char* key, int64_t most) {
    return json.has(key) ? json.integer_between(key, 1, most) : 1;
  };
  shared.groups = count("num_hidden_groups", std::max<int64_t>(1, layers));
  shared.inner = count("inner_group_num", kMostLayers / std::max<int64_t>(1, layers));
}

void read_config(const Json& json, ModelConfig& config) {
  config.embedding_size =
      json.has("embedding_size") ? json.integer_between("embedding_size", 1, 1 << 20) : 128;
  read_groups(json, config.shared);
  config.hidden_act = Activation::gelu_tanh;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  config.classifier_dropout = 0.1;
}

void write_config(const ModelConfig& config, Json& json) {
  json.set("num_hidden_groups", config.shared.groups).set("inner_group_num", config.shared.inner);
}

}  // namespace

const Family& albert_family() {
  static const Family family{
      .model_type = "albert",
      .prefix = "albert",
      .body = "AlbertModel",
      .architectures = {{"AlbertForPreTraining", {.pooler = true, .masked_lm = true, .pair = true}},
                        {"AlbertForMaskedLM", {.masked_lm = true}},
                        {"AlbertForSequenceClassification",
                         {.pooler = true, .classification = true}},
                        {"AlbertForMultipleChoice", {.pooler = true, .choice = true}},
                        {"AlbertForTokenClassification", {.tagging = true}},
                        {"AlbertForQuestionAnswering", {.span = true}}},
      .keys = {.classifier_dropout = "classifier_dropout_prob"},
      .embeddings = {.projection = "encoder.embedding_hidden_mapping_in"},
      .layers = "encoder.albert_layer_groups",
      .layer = {.query = "attention.query",
                .key = "attention.key",
                .value = "attention.value",
                .attention_output = "attention.dense",
                .attention_norm = "attention.LayerNorm",
                .intermediate = "ffn",
                .output = "ffn_output",
                .norm = "full_layer_layer_norm"},
      .pooler = "pooler",
      .masked_lm = {.dense = "predictions.dense",
                    .norm = "predictions.LayerNorm",
                    .bias = "predictions",
                    .decoder = "predictions.decoder"},
      .pair = "sop_classifier.classifier",
      .read_config = read_config,
      .write_config = write_config,
  };
  return family;
}

}  // namespace ink
