// config.json: what is read is written back, what is wrong is refused with its key.
#include "nn/config.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

Json base() {
  return parse_json(R"({
    "architectures": ["BertForSequenceClassification"], "model_type": "bert", "vocab_size": 300,
    "hidden_size": 48,
    "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 96,
    "max_position_embeddings": 40,
    "hidden_act": "gelu_new", "classifier_dropout": null, "pad_token_id": 0, "layer_norm_eps": 1e-7,
    "id2label": {"1": "neu", "0": "neg", "2": "pos"}, "label2id": {"neg": 0, "neu": 1, "pos": 2},
    "directionality": "bidi", "pooler_fc_size": 768, "task": {"note": [1, 2.0, null]}})",
                    "config.json");
}

TEST(Config, ReadsHuggingFacesKeys) {
  const ModelConfig c = ModelConfig::from(base());
  EXPECT_EQ(c.vocab_size, 300);
  EXPECT_EQ(c.head_size, 12);
  EXPECT_EQ(c.heads_per_layer, (std::vector<int64_t>{4, 4, 4}));
  EXPECT_EQ(c.ffn_per_layer, (std::vector<int64_t>{96, 96, 96}));
  EXPECT_EQ(c.hidden_act, Activation::gelu_tanh);
  EXPECT_EQ(c.layer_norm_eps, 1e-7);
  EXPECT_EQ(c.hidden_dropout_prob, 0.1) << "the default";
  EXPECT_FALSE(c.classifier_dropout.has_value());
  EXPECT_EQ(c.labels, (std::vector<std::string>{"neg", "neu", "pos"}));
  EXPECT_EQ(c.architectures, (std::vector<std::string>{"BertForSequenceClassification"}));
}

TEST(Config, WritesBackWhatItDoesNotKnow) {
  const Json written = ModelConfig::from(base()).to_json();
  EXPECT_EQ(written.string("directionality"), "bidi");
  EXPECT_EQ(written["task"].to_string(), R"({"note": [1, 2.0, null]})");
  EXPECT_EQ(written.string("hidden_act"), "gelu_new");
  EXPECT_FALSE(written.has("heads_per_layer")) << "an even model needs the usual keys only";
  EXPECT_FALSE(written.has("head_size"));
  EXPECT_TRUE(ModelConfig::from(written).to_json() == written);
}

TEST(Config, KeepsLayersOfDifferentSizes) {
  const testing::TemporaryFolder folder;
  ModelConfig c = ModelConfig::from(base());
  c.heads_per_layer = {4, 0, 3};
  c.ffn_per_layer = {96, 17, 0};
  std::ofstream(folder / "config.json") << c.to_json().to_string(2);
  const ModelConfig read = ModelConfig::read(folder / "config.json");
  EXPECT_EQ(read.heads_per_layer, c.heads_per_layer);
  EXPECT_EQ(read.ffn_per_layer, c.ffn_per_layer);
  EXPECT_EQ(read.head_size, 12);
  ModelConfig even = read;
  even.set_layers(2, 6, 30);
  EXPECT_FALSE(even.to_json().has("heads_per_layer"));
  EXPECT_EQ(ModelConfig::from(even.to_json()).head_size, 8);
  even.set_layers(2, 4, 30);
  even.heads_per_layer = {2, 2};  // alike, but fewer than hidden_size / head_size
  EXPECT_EQ(ModelConfig::from(even.to_json()).heads_per_layer, even.heads_per_layer);
}

TEST(Config, RefusesWhatItCannotBuild) {
  const auto with = [](const char* key, Json value) {
    Json json = base();
    json.set(key, std::move(value));
    return ModelConfig::from(json);
  };
  EXPECT_ERROR(with("hidden_size", "x"),
               R"(config.json: hidden_size: expected an integer, got "x")");
  EXPECT_ERROR(with("hidden_size", int64_t{1} << 40),
               "config.json: hidden_size: expected an integer from 1 to");
  EXPECT_ERROR(with("vocab_size", 0), "config.json: vocab_size: expected an integer from 1");
  EXPECT_ERROR(with("num_hidden_layers", -1), "num_hidden_layers: expected an integer from 0");
  EXPECT_ERROR(with("num_attention_heads", 5),
               "num_attention_heads: expected a divisor of hidden_size 48, got 5");
  EXPECT_ERROR(with("intermediate_size", 2.5), "intermediate_size: expected an integer, got 2.5");
  EXPECT_ERROR(with("hidden_act", "swish"), "config.json: hidden_act: ");
  EXPECT_ERROR(with("hidden_dropout_prob", 1.5), "hidden_dropout_prob: expected a number from 0");
  EXPECT_ERROR(with("model_type", "gpt2"),
               "config.json: model_type: expected bert, roberta, xlm-roberta, electra, albert, "
               "distilbert, mobilebert or xlnet, got 'gpt2'");
  EXPECT_ERROR(with("position_embedding_type", "relative_key"), "expected \"absolute\"");
  EXPECT_ERROR(with("is_decoder", true), "only encoders");
  EXPECT_ERROR(with("tie_word_embeddings", 1), "tie_word_embeddings: expected true or false");
  EXPECT_ERROR(with("heads_per_layer", Json::make_array({1, 2})),
               "expected 3 numbers, one a layer, got 2");
  EXPECT_ERROR(with("ffn_per_layer", Json::make_array({1, 2, -3})), "expected an integer from 0");
  EXPECT_ERROR(with("id2label", Json::make_object({{"0", "a"}, {"2", "b"}})),
               "1: this key is missing");
  EXPECT_ERROR(with("architectures", "BertModel"), "architectures: expected an array");
  Json json = base();
  json.erase("hidden_size");
  EXPECT_ERROR(ModelConfig::from(json), "hidden_size: this key is missing");
}

}  // namespace
}  // namespace ink
