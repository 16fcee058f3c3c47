// config.json: what is read is written back, what is wrong is refused with its key.
#include "nn/config.h"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <array>
#include <fstream>

#include "nn/encoder.h"
#include "nn/weights.h"
#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

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

// Python writes numbers that JSON does not have; only where we read one does it matter.
TEST(Config, KeepsNumbersThatOnlyPythonHas) {
  const testing::TemporaryFolder folder;
  const auto read = [&](const std::string& more) {
    std::string text = base().to_string();
    text.back() = ',';
    std::ofstream(folder / "config.json") << text << more << '}';
    return ModelConfig::read(folder / "config.json");
  };
  const ModelConfig c = read(R"("a": NaN, "b": [-Infinity, Infinity], "c": "NaN \" Infinity",
    "model_max_length": 1000000000000000019884624838656, "seed": 18446744073709551615)");
  const Json written = parse_json(c.to_json().to_string(), "written");
  EXPECT_EQ(written.string("a"), "NaN");
  EXPECT_EQ(written["b"].to_string(), R"(["-Infinity", "Infinity"])");
  EXPECT_EQ(written.string("c"), "NaN \" Infinity");
  EXPECT_EQ(written.real("model_max_length"), 1e30);
  EXPECT_ERROR(read(R"("hidden_dropout_prob": NaN)"),
               R"(hidden_dropout_prob: expected a number, got "NaN")");
  EXPECT_ERROR(read(R"("type_vocab_size": 9223372036854775808)"), "type_vocab_size: expected an");
}

TEST(Config, TakesNumbersForLabels) {
  Json json = base();
  json.set("id2label", Json::make_object({{"0", 0}, {"1", "one"}, {"2", 2}}));
  EXPECT_EQ(ModelConfig::from(json).labels, (std::vector<std::string>{"0", "one", "2"}));
}

TEST(Config, KnowsOtherNamesOfActivations) {
  const auto with = [](const char* name) {
    Json json = base();
    json.set("hidden_act", name);
    return ModelConfig::from(json).hidden_act;
  };
  EXPECT_EQ(with("gelu_python"), Activation::gelu);
  EXPECT_EQ(with("gelu_fast"), Activation::gelu_tanh);
  EXPECT_ERROR(with("silu"), "hidden_act");
}

TEST(Config, AFileThatNeverEndsIsNotWaitedFor) {
  const testing::TemporaryFolder folder;
  ASSERT_EQ(::mkfifo((folder / "config.json").c_str(), 0600), 0);
  EXPECT_ERROR(ModelConfig::read(folder / "config.json"), "not a regular file");
  ASSERT_EQ(::mkfifo((folder / "model.safetensors").c_str(), 0600), 0);
  EXPECT_ERROR(Weights::open(folder.path()), "not a regular file");
}

TEST(Config, RefusesSummariesOfAnotherKind) {
  const fs::path families = fs::path(INK_SOURCE_DIR) / "tests/golden/families";
  const auto with = [&](const char* folder, const char* key, const Json& value) {
    Json json = ModelConfig::read(families / folder / "config.json").to_json();
    json.set(key, value);
    return ModelConfig::from(json);
  };
  for (const char* folder : {"xlnet-MaskedLM", "electra-MaskedLM"}) {
    EXPECT_ERROR(with(folder, "summary_activation", nullptr), "summary_activation: expected \"");
    EXPECT_ERROR(with(folder, "summary_use_proj", false), "summary_use_proj: expected true");
    EXPECT_NO_THROW(with(folder, "summary_use_proj", true));
  }
  EXPECT_ERROR(with("xlnet-MaskedLM", "bi_data", true), "bi_data: expected false, got true");
}

TEST(Config, KeepsKeysThatMeanNothingToAFamily) {
  const fs::path families = fs::path(INK_SOURCE_DIR) / "tests/golden/families";
  for (const char* folder : {"xlnet-MaskedLM", "distilbert-MaskedLM"}) {
    Json json = ModelConfig::read(families / folder / "config.json").to_json();
    EXPECT_FALSE(json.has("type_vocab_size")) << folder;
    json.set("type_vocab_size", 2);
    EXPECT_EQ(ModelConfig::from(json).to_json().integer("type_vocab_size"), 2) << folder;
  }
  Json json = ModelConfig::read(families / "distilbert-MaskedLM" / "config.json").to_json();
  EXPECT_EQ(ModelConfig::from(json.set("layer_norm_eps", 1e-5)).layer_norm_eps, 1e-12);
  EXPECT_EQ(ModelConfig::from(json).to_json().real("layer_norm_eps"), 1e-5);
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

// As transformers 4.44 and 5 read them.
TEST(Config, TakesWhatItsClassesTake) {
  Json json = base();
  json.set("id2label", Json()).set("hidden_dropout_prob", 1.0);
  EXPECT_EQ(ModelConfig::from(json).label_count(), 2);
  EXPECT_EQ(ModelConfig::from(json).hidden_dropout_prob, 1);
  json.set("num_labels", 3);
  EXPECT_EQ(ModelConfig::from(json).label_count(), 3);
  json.set("model_type", "electra");
  EXPECT_EQ(ModelConfig::from(json).embedding_size, 128) << "the default of its class";
}

// d_head is d_model / n_head, or the head size of layers of different sizes.
TEST(Config, RefusesAnotherHeadSizeOfXlnet) {
  const fs::path file = fs::path(INK_SOURCE_DIR) / "tests/golden/families" / "xlnet-MaskedLM";
  Json json = parse_json(read_file(file / "config.json", 1 << 20), "config.json");
  json.set("d_head", 7);
  EXPECT_ERROR(ModelConfig::from(json),
               "config.json: d_head: expected d_model / n_head = 4, got 7");
  json.erase("d_head");
  ModelConfig c = ModelConfig::from(json);
  EXPECT_EQ(c.head_size, 4);
  c.heads_per_layer[0] = 2;
  EXPECT_EQ(ModelConfig::from(c.to_json()).heads_per_layer, c.heads_per_layer);
}

// int(i / (L / G)) of f64, which for a few sizes is not i·G / L in whole numbers.
TEST(Config, LayersOfAnAlbertFollowPython) {
  for (const auto& [layers, groups, layer, group] :
       {std::array{18, 14, 9, 6}, {27, 21, 18, 13}, {36, 28, 9, 6}, {12, 3, 4, 1}, {5, 2, 2, 0}}) {
    ModelConfig c;
    c.family = &albert_family();
    c.vocab_size = c.hidden_size = 4;
    c.shared.groups = groups;
    c.set_layers(layers, 1, 1);
    Parameters parameters;
    const Encoder encoder(Scope(parameters, random_values(Random(1))), c);
    EXPECT_EQ(encoder.order[static_cast<size_t>(layer)], static_cast<size_t>(group)) << layers;
  }
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
               "distilbert, mobilebert, xlnet or bigru, got 'gpt2'");
  EXPECT_ERROR(with("position_embedding_type", "relative_key"), "expected \"absolute\"");
  EXPECT_ERROR(with("is_decoder", true), "only encoders");
  EXPECT_ERROR(with("tie_word_embeddings", 1), "tie_word_embeddings: expected true or false");
  EXPECT_ERROR(with("heads_per_layer", Json::make_array({1, 2})),
               "expected 3 numbers, one a layer, got 2");
  EXPECT_ERROR(with("ffn_per_layer", Json::make_array({1, 2, -3})), "expected an integer from 0");
  EXPECT_ERROR(with("id2label", Json::make_object({{"0", "a"}, {"2", "b"}})),
               "id2label: expected the numbers 0 to 1 as keys, one for each of its labels, got "
               "\"2\"");
  EXPECT_ERROR(with("id2label", Json::make_object({{"0", "a"}, {"00", "b"}})), "got \"00\"");
  EXPECT_ERROR(with("id2label", Json::make_object({{"0", "a"}, {"1", Json()}})),
               "1: expected a string, got null");
  EXPECT_ERROR(with("type_vocab_size", Json()), "type_vocab_size: expected an integer, got null");
  EXPECT_ERROR(with("architectures", "BertModel"), "architectures: expected an array");
  Json json = base();
  json.erase("hidden_size");
  EXPECT_ERROR(ModelConfig::from(json), "hidden_size: this key is missing");
}

}  // namespace
}  // namespace ink
