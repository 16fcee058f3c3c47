// config.json to BertConfig and back.
#include "nn/config.h"

#include <algorithm>

#include "tensor/file.h"

namespace ink {
namespace {

constexpr int64_t kLargestVocabulary = 10'000'000, kLargestWidth = 1 << 20, kMostLayers = 1000,
                  kMostHeads = 4096;
constexpr size_t kLongestFile = size_t{16} << 20;

double real_between(const Json& json, Json::Key key, double otherwise, double low, double high) {
  const double value = json.real(key, otherwise);
  if (!(value >= low && value <= high))
    fail("", json.where(key), ": expected a number from ", low, " to ", high, ", got ", value);
  return value;
}

// The values of `key`, one a layer; `each` for all layers when the key is absent.
std::vector<int64_t> per_layer(const Json& json, const char* key, int64_t layers, int64_t each,
                               int64_t most) {
  if (!json.has(key)) return std::vector<int64_t>(static_cast<size_t>(layers), each);
  const Json& list = json.array(key);
  if (std::cmp_not_equal(list.size(), layers))
    fail("", json.where(key), ": expected ", layers, " numbers, one a layer, got ", list.size());
  std::vector<int64_t> values;
  for (size_t i = 0; i < list.size(); ++i) values.push_back(list.integer_between(i, 0, most));
  return values;
}

// id2label is an object {"0": "first", …} with the numbers as strings, in any order.
std::vector<std::string> labels_from(const Json& json) {
  if (!json.has("id2label")) {
    std::vector<std::string> labels;
    const int64_t n =
        json.has("num_labels") ? json.integer_between("num_labels", 1, kLargestWidth) : 0;
    for (int64_t i = 0; i < n; ++i) labels.push_back("LABEL_" + std::to_string(i));
    return labels;
  }
  const Json& table = json.object("id2label");
  std::vector<std::string> labels;
  for (size_t i = 0; i < table.size(); ++i) labels.push_back(table.string(std::to_string(i)));
  return labels;
}

// What other architectures ask for must not be overlooked.
void check_kind(const Json& json) {
  const std::string type = json.string("model_type", "bert");
  if (type != "bert")
    fail("", json.where("model_type"), ": expected \"bert\", got ", Json(type).to_string());
  const std::string positions = json.string("position_embedding_type", "absolute");
  if (positions != "absolute")
    fail("", json.where("position_embedding_type"), ": expected \"absolute\", got ",
         Json(positions).to_string());
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    if (json.boolean(key, false))
      fail("", json.where(key), ": expected false: only encoders are supported");
  }
  if (!json.boolean("tie_word_embeddings", true))
    fail("", json.where("tie_word_embeddings"),
         ": expected true: the output layer shares the word embeddings");
}

}  // namespace

BertConfig BertConfig::from(const Json& json) {
  check_kind(json);
  BertConfig c;
  c.vocab_size = json.integer_between("vocab_size", 1, kLargestVocabulary);
  c.hidden_size = json.integer_between("hidden_size", 1, kLargestWidth);
  const int64_t layers = json.integer_between("num_hidden_layers", 0, kMostLayers);
  const int64_t heads = json.integer_between("num_attention_heads", 1, kMostHeads);
  if (json.has("head_size")) {
    c.head_size = json.integer_between("head_size", 1, kLargestWidth);
  } else {
    if (c.hidden_size % heads != 0)
      fail("", json.where("num_attention_heads"), ": expected a divisor of hidden_size ",
           c.hidden_size, ", got ", heads);
    c.head_size = c.hidden_size / heads;
  }
  const int64_t ffn = json.integer_between("intermediate_size", 0, kLargestWidth);
  c.heads_per_layer = per_layer(json, "heads_per_layer", layers, heads, kMostHeads);
  c.ffn_per_layer = per_layer(json, "ffn_per_layer", layers, ffn, kLargestWidth);
  if (json.has("max_position_embeddings"))
    c.max_position_embeddings = json.integer_between("max_position_embeddings", 1, kLargestWidth);
  if (json.has("type_vocab_size"))
    c.type_vocab_size = json.integer_between("type_vocab_size", 1, kLargestWidth);
  try {
    c.hidden_act = activation_from(json.string("hidden_act", "gelu"));
  } catch (const Error& error) {
    fail("", json.where("hidden_act"), ": ", error.message());
  }
  c.hidden_dropout_prob = real_between(json, "hidden_dropout_prob", 0.1, 0, 0.99);
  c.attention_probs_dropout_prob = real_between(json, "attention_probs_dropout_prob", 0.1, 0, 0.99);
  if (json.has("classifier_dropout") && !json["classifier_dropout"].is_null())
    c.classifier_dropout = real_between(json, "classifier_dropout", 0, 0, 0.99);
  c.layer_norm_eps = real_between(json, "layer_norm_eps", 1e-12, 0, 1);
  c.initializer_range = real_between(json, "initializer_range", 0.02, 0, 10);
  c.pad_token_id = json.integer("pad_token_id", 0);
  c.labels = labels_from(json);
  c.problem_type = json.string("problem_type", "");
  if (json.has("architectures") && !json["architectures"].is_null()) {
    const Json& names = json.array("architectures");
    for (size_t i = 0; i < names.size(); ++i) c.architectures.push_back(names.string(i));
  }
  c.other = json;
  return c;
}

BertConfig BertConfig::read(const std::filesystem::path& file) {
  return from(parse_json(read_file(file, kLongestFile), file.string()));
}

void BertConfig::set_layers(int64_t layers, int64_t heads, int64_t ffn) {
  check(layers >= 0 && heads > 0 && ffn >= 0, "config: expected layers, heads and widths, got ",
        layers, ", ", heads, " and ", ffn);
  check(hidden_size % heads == 0, "config: hidden_size ", hidden_size, " should be a multiple of ",
        heads, " heads");
  head_size = hidden_size / heads;
  heads_per_layer.assign(static_cast<size_t>(layers), heads);
  ffn_per_layer.assign(static_cast<size_t>(layers), ffn);
}

Json BertConfig::to_json() const {
  Json json = other;
  const auto all = [](const std::vector<int64_t>& values) {
    Json list = Json::make_array();
    for (const int64_t v : values) list.append(v);
    return list;
  };
  // The usual keys hold what the even model would have; for an uneven one the lists say the truth.
  const int64_t heads = std::max<int64_t>(1, hidden_size / head_size);
  const int64_t ffn = ffn_per_layer.empty() ? json.integer("intermediate_size", 4 * hidden_size)
                                            : *std::ranges::max_element(ffn_per_layer);
  json.set("model_type", "bert")
      .set("vocab_size", vocab_size)
      .set("hidden_size", hidden_size)
      .set("num_hidden_layers", layers())
      .set("num_attention_heads", heads)
      .set("intermediate_size", ffn)
      .set("max_position_embeddings", max_position_embeddings)
      .set("type_vocab_size", type_vocab_size)
      .set("hidden_act", name_of(hidden_act))
      .set("hidden_dropout_prob", hidden_dropout_prob)
      .set("attention_probs_dropout_prob", attention_probs_dropout_prob)
      .set("layer_norm_eps", layer_norm_eps)
      .set("initializer_range", initializer_range)
      .set("pad_token_id", pad_token_id)
      .set("classifier_dropout", classifier_dropout ? Json(*classifier_dropout) : Json());
  const bool even = heads * head_size == hidden_size &&
                    std::ranges::count(heads_per_layer, heads) == layers() &&
                    std::ranges::count(ffn_per_layer, ffn) == layers();
  if (even) {
    for (const char* key : {"heads_per_layer", "ffn_per_layer", "head_size"}) json.erase(key);
  } else {
    json.set("heads_per_layer", all(heads_per_layer))
        .set("ffn_per_layer", all(ffn_per_layer))
        .set("head_size", head_size);
  }
  json.erase("num_labels");
  if (!labels.empty()) {
    Json id2label = Json::make_object(), label2id = Json::make_object();
    for (size_t i = 0; i < labels.size(); ++i) {
      id2label.set(std::to_string(i), labels[i]);
      label2id.set(labels[i], i);
    }
    json.set("id2label", std::move(id2label)).set("label2id", std::move(label2id));
  }
  if (!problem_type.empty()) json.set("problem_type", problem_type);
  if (!architectures.empty()) {
    Json names = Json::make_array();
    for (const std::string& name : architectures) names.append(name);
    json.set("architectures", std::move(names));
  }
  return json;
}

}  // namespace ink
