// MobileBERT (Sun et al. 2020): names and config keys; the body is nn/mobilebert.h.
#include "nn/config.h"

namespace ink {
namespace {

constexpr int64_t kLargestWidth = 1 << 20, kMostNetworks = 64;  // published ones have 4

void read_config(const Json& json, ModelConfig& config) {
  Bottlenecks& b = config.bottlenecks;
  const auto size = [&](const char* key, int64_t otherwise, int64_t most = kLargestWidth) {
    return json.has(key) ? json.integer_between(key, 1, most) : otherwise;
  };
  config.embedding_size = size("embedding_size", 128);
  config.hidden_act = Activation::relu;
  config.hidden_dropout_prob = 0;
  b.trigram_input = json.boolean("trigram_input", b.trigram_input);
  b.use_bottleneck = json.boolean("use_bottleneck", b.use_bottleneck);
  b.intra_bottleneck_size = size("intra_bottleneck_size", b.intra_bottleneck_size);
  b.key_query_shared = json.boolean("key_query_shared_bottleneck", b.key_query_shared);
  b.attention_bottleneck = json.boolean("use_bottleneck_attention", b.attention_bottleneck);
  b.feedforward_networks = size("num_feedforward_networks", b.feedforward_networks, kMostNetworks);
  const std::string norm = json.string("normalization_type", "no_norm");
  if (norm != "no_norm" && norm != "layer_norm")
    fail("", json.where("normalization_type"), ": expected no_norm or layer_norm, got '", norm,
         "'");
  b.layer_norm = norm == "layer_norm";
  b.classifier_activation = json.boolean("classifier_activation", b.classifier_activation);
}

void write_config(const ModelConfig& config, Json& json) {
  const Bottlenecks& b = config.bottlenecks;
  json.set("trigram_input", b.trigram_input)
      .set("use_bottleneck", b.use_bottleneck)
      .set("intra_bottleneck_size", b.intra_bottleneck_size)
      .set("key_query_shared_bottleneck", b.key_query_shared)
      .set("use_bottleneck_attention", b.attention_bottleneck)
      .set("num_feedforward_networks", b.feedforward_networks)
      .set("normalization_type", b.layer_norm ? "layer_norm" : "no_norm")
      .set("classifier_activation", b.classifier_activation);
}

}  // namespace

const Family& mobilebert_family() {
  static const Family family{
      .model_type = "mobilebert",
      .prefix = "mobilebert",
      .body = "MobileBertModel",
      .body_kind = BodyKind::mobilebert,
      .architectures = {{"MobileBertForPreTraining",
                         {.pooler = true, .masked_lm = true, .pair = true}},
                        {"MobileBertForMaskedLM", {.masked_lm = true}},
                        {"MobileBertForNextSentencePrediction", {.pooler = true, .pair = true}},
                        {"MobileBertForSequenceClassification",
                         {.pooler = true, .classification = true}},
                        {"MobileBertForMultipleChoice", {.pooler = true, .choice = true}},
                        {"MobileBertForTokenClassification", {.tagging = true}},
                        {"MobileBertForQuestionAnswering", {.span = true}}},
      .embeddings = {.projection = "embeddings.embedding_transformation"},
      .pooler = "pooler.dense",
      .masked_lm = {.rest = "cls.predictions.dense"},
      .read_config = read_config,
      .write_config = write_config,
  };
  return family;
}

}  // namespace ink
