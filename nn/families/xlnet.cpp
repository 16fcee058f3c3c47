// XLNet (Yang et al. 2019): names and config keys; the body is nn/xlnet.h.
//
// A sequence ends with <cls>, whose state is what a classifier reads.
#include "nn/config.h"

namespace ink {
namespace {

// d_head follows from the other sizes; where it says something else, one of them is wrong.
void check_head_channels(const Json& json) {
  if (!json.has("d_head") || json["d_head"].is_null()) return;
  const bool own = json.has("head_size");  // of layers of different sizes
  const int64_t heads = json.integer_between("n_head", 1, 4096);
  const int64_t expected = own ? json.integer("head_size") : json.integer("d_model") / heads;
  if (json.integer("d_head") != expected)
    fail("", json.where("d_head"), ": expected ", own ? "head_size" : "d_model / n_head", " = ",
         expected, ", got ", json.integer("d_head"));
}

void read_config(const Json& json, ModelConfig& config) {
  expect_value(json, "attn_type", "bi");
  expect_value(json, "summary_type", "last");
  expect_value(json, "summary_activation", "tanh");
  expect_value(json, "summary_use_proj", true);
  expect_value(json, "bi_data", false);
  config.pad_token_id = 5;
  config.max_position_embeddings = 1 << 20;  // no limit of its own
  check_head_channels(json);
  config.relative.clamp_len = json.integer("clamp_len", -1);
  config.classifier_dropout = 0.1;
  config.tagging_dropout = 0;
}

void write_config(const ModelConfig& config, Json& json) {
  for (const char* key : {"max_position_embeddings", "type_vocab_size"})
    restore(json, key, config.other);
  json.set("d_head", config.head_size).set("clamp_len", config.relative.clamp_len);
}

}  // namespace

const Family& xlnet_family() {
  static const Family family{
      .model_type = "xlnet",
      .prefix = "transformer",
      .body = "XLNetModel",
      .body_kind = BodyKind::xlnet,
      .architectures = {{"XLNetLMHeadModel", {.masked_lm = true}},
                        {"XLNetForSequenceClassification", {.classification = true}},
                        {"XLNetForMultipleChoice", {.choice = true}},
                        {"XLNetForTokenClassification", {.tagging = true}},
                        {"XLNetForQuestionAnsweringSimple", {.span = true}}},
      .keys = {.hidden_size = "d_model",
               .layers = "n_layer",
               .heads = "n_head",
               .ffn = "d_inner",
               .activation = "ff_activation",
               .dropout = "dropout",
               .attention_dropout = "dropout",
               .classifier_dropout = "summary_last_dropout"},
      .embeddings = {.word = "word_embedding"},
      .layers = "layer",
      .masked_lm = {.dense = nullptr, .norm = nullptr, .bias = "lm_loss", .decoder = "lm_loss"},
      .two_streams = true,
      .classifier = {.summary = Summary::last_token,
                     .dense = "sequence_summary.summary",
                     .activation = Activation::tanh,
                     .classes = "logits_proj"},
      .choice = {.summary = Summary::last_token,
                 .dense = "sequence_summary.summary",
                 .activation = Activation::tanh,
                 .classes = "logits_proj"},
      .read_config = read_config,
      .write_config = write_config,
  };
  return family;
}

}  // namespace ink
