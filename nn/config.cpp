// config.json to ModelConfig and back: what all families have. nn/families/ adds the rest.
#include "nn/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <unordered_map>

#include "tensor/file.h"
#include "tensor/json_bounded.h"

namespace ink {
namespace {

constexpr int64_t kLargestVocabulary = 10'000'000, kLargestWidth = 1 << 20, kMostLayers = 1000,
                  kMostHeads = 4096, kMostNumberedLabels = 1 << 16;
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

// LABEL_0, LABEL_1, … as transformers calls them: as many as num_labels says.
std::vector<std::string> numbered_labels(const Json& json) {
  std::vector<std::string> labels;
  const bool counted = json.has("num_labels") && !json["num_labels"].is_null();
  const int64_t n = counted ? json.integer_between("num_labels", 1, kMostNumberedLabels) : 0;
  for (int64_t i = 0; i < n; ++i) labels.push_back("LABEL_" + std::to_string(i));
  return labels;
}

// id2label is an object {"0": "first", …} with the numbers as strings, in any order.
std::vector<std::string> labels_from(const Json& json) {
  if (!json.has("id2label") || json["id2label"].is_null()) return numbered_labels(json);
  const Json& table = json.object("id2label");
  std::vector<std::string> labels(table.size());
  for (const auto& [key, label] : table.members()) {
    size_t number = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), number);
    const bool plain = error == std::errc() && end == key.data() + key.size() &&
                       key == std::to_string(number);  // so that none is there twice
    if (!plain || number >= labels.size())
      fail("", json.where("id2label"), ": expected the numbers 0 to ", labels.size() - 1,
           " as keys, one for each of its labels, got ", Json(key.substr(0, 40)).to_string());
    labels[number] = label.type() == Json::Type::integer  // some write the number once more
                         ? label.to_string()
                         : label.as_string(table.where(key));
  }
  return labels;
}

// Python writes numbers that JSON does not have: NaN, Infinity, -Infinity. As strings they can be
// kept where nobody reads them, and are refused by name where a number is read.
std::string with_quoted_constants(const std::string& text) {
  constexpr std::array<std::string_view, 3> kConstants{"NaN", "Infinity", "-Infinity"};
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = std::string_view(text).substr(at);
    const auto constant = std::ranges::find_if(
        kConstants, [&](std::string_view name) { return rest.starts_with(name); });
    if (!in_string && constant != kConstants.end()) {
      out.append(1, '"').append(*constant).append(1, '"');
      at += constant->size();
      continue;
    }
    const size_t length =
        in_string && rest.starts_with('\\') ? std::min<size_t>(2, rest.size()) : 1;
    if (length == 1 && rest.front() == '"') in_string = !in_string;
    out.append(rest.substr(0, length));
    at += length;
  }
  return out;
}

// What other architectures ask for must not be overlooked.
void check_kind(const Json& json) {
  const std::string positions = json.string("position_embedding_type", "absolute");
  if (positions != "absolute")
    fail("", json.where("position_embedding_type"), ": expected \"absolute\", got ",
         Json(positions).to_string());
  for (const char* key : {"is_decoder", "add_cross_attention"}) {
    if (json.boolean(key, false))
      fail("", json.where(key), ": expected false: only encoders are supported");
  }
}

// head_size: a key of its own, or hidden_size split evenly.
int64_t head_size_from(const Json& json, const ModelConfig& c, int64_t heads) {
  if (json.has("head_size")) return json.integer_between("head_size", 1, kLargestWidth);
  const int64_t channels = c.attention_channels();
  if (channels % heads != 0)
    fail("", json.where(c.family->keys.heads), ": expected a divisor of ",
         channels == c.hidden_size ? c.family->keys.hidden_size : "intra_bottleneck_size", ' ',
         channels, ", got ", heads);
  return channels / heads;
}

void read_layers(const Json& json, ModelConfig& c) {
  const ConfigKeys& keys = c.family->keys;
  const int64_t layers = json.integer_between(keys.layers, 0, kMostLayers);
  const int64_t heads = keys.heads ? json.integer_between(keys.heads, 1, kMostHeads) : 1;
  const int64_t ffn = json.integer_between(keys.ffn, 0, kLargestWidth);
  c.head_size = head_size_from(json, c, heads);
  c.heads_per_layer = per_layer(json, "heads_per_layer", layers, heads, kMostHeads);
  c.ffn_per_layer = per_layer(json, "ffn_per_layer", layers, ffn, kLargestWidth);
}

void read_probabilities(const Json& json, ModelConfig& c) {
  const ConfigKeys& keys = c.family->keys;
  const auto probability = [&](const char* key, double otherwise) {
    return real_between(json, key, otherwise, 0, 1);
  };
  c.hidden_dropout_prob = probability(keys.dropout, c.hidden_dropout_prob);
  c.attention_probs_dropout_prob =
      probability(keys.attention_dropout, c.attention_probs_dropout_prob);
  if (json.has(keys.classifier_dropout) && !json[keys.classifier_dropout].is_null())
    c.classifier_dropout = probability(keys.classifier_dropout, 0);
}

}  // namespace

ModelConfig ModelConfig::from(const Json& json) {
  ModelConfig c;
  try {
    c.family = &family_of(json.string("model_type", "bert"));
  } catch (const Error& error) {
    fail("", json.where("model_type"), ": ", error.message());
  }
  check_kind(json);
  const Family& family = *c.family;
  if (family.read_config) family.read_config(json, c);
  c.vocab_size = json.integer_between("vocab_size", 1, kLargestVocabulary);
  c.hidden_size = json.integer_between(family.keys.hidden_size, 1, kLargestWidth);
  read_layers(json, c);
  if (json.has("max_position_embeddings"))
    c.max_position_embeddings = json.integer_between("max_position_embeddings", 1, kLargestWidth);
  if (json.has("type_vocab_size"))
    c.type_vocab_size = json.integer_between("type_vocab_size", 1, kLargestWidth);
  try {
    c.hidden_act = activation_from(json.string(family.keys.activation, name_of(c.hidden_act)));
  } catch (const Error& error) {
    fail("", json.where(family.keys.activation), ": ", error.message());
  }
  read_probabilities(json, c);
  if (family.keys.layer_norm_eps)
    c.layer_norm_eps = real_between(json, family.keys.layer_norm_eps, 1e-12, 0, 1);
  c.initializer_range = real_between(json, "initializer_range", 0.02, 0, 10);
  c.position_scale = real_between(json, "position_scale", 1, 1e-9, 1e9);
  if (json.has("pad_token_id") && !json["pad_token_id"].is_null())
    c.pad_token_id = json.integer_between("pad_token_id", -1, kLargestVocabulary);
  c.tie_word_embeddings = json.boolean("tie_word_embeddings", true);
  c.labels = labels_from(json);
  c.problem_type = json.string("problem_type", "");
  if (json.has("architectures") && !json["architectures"].is_null()) {
    const Json& names = json.array("architectures");
    for (size_t i = 0; i < names.size(); ++i) c.architectures.push_back(names.string(i));
  }
  c.other = json;
  return c;
}

ModelConfig ModelConfig::read(const std::filesystem::path& file) {
  const std::string text = with_quoted_constants(read_regular_file(file, kLongestFile));
  return from(parse_bounded_json(text, file.string(), {.long_integers = true}));
}

void ModelConfig::set_layers(int64_t layers, int64_t heads, int64_t ffn) {
  check(layers >= 0 && heads > 0 && ffn >= 0, "config: expected layers, heads and widths, got ",
        layers, ", ", heads, " and ", ffn);
  check(attention_channels() % heads == 0, "config: hidden_size ", attention_channels(),
        " should be a multiple of ", heads, " heads");
  head_size = attention_channels() / heads;
  heads_per_layer.assign(static_cast<size_t>(layers), heads);
  ffn_per_layer.assign(static_cast<size_t>(layers), ffn);
}

void ModelConfig::check_vocabulary(int64_t tokens, const std::string& where) const {
  check(tokens <= vocab_size, "", where, ": its tokenizer has ", tokens,
        " tokens, config.json says ", vocab_size, "; expected both of one model");
}

int64_t ModelConfig::longest() const {
  return max_position_embeddings - (positions_after_padding ? pad_token_id + 1 : 0);
}

int64_t ModelConfig::attention_channels() const {
  const bool narrow = family->body_kind == BodyKind::mobilebert && bottlenecks.use_bottleneck;
  return narrow ? bottlenecks.intra_bottleneck_size : hidden_size;
}

namespace {

// The usual keys hold what the even model would have; for an uneven one the lists say the truth.
void write_layers(const ModelConfig& c, Json& json) {
  const ConfigKeys& keys = c.family->keys;
  const int64_t channels = c.attention_channels();
  const int64_t heads = std::max<int64_t>(1, channels / c.head_size);
  const int64_t ffn = c.ffn_per_layer.empty() ? json.integer(keys.ffn, 4 * c.hidden_size)
                                              : *std::ranges::max_element(c.ffn_per_layer);
  json.set(keys.layers, c.layers());
  if (keys.heads) json.set(keys.heads, heads);
  json.set(keys.ffn, ffn);
  const bool even = heads * c.head_size == channels &&
                    std::ranges::count(c.heads_per_layer, heads) == c.layers() &&
                    std::ranges::count(c.ffn_per_layer, ffn) == c.layers();
  if (even) {
    for (const char* key : {"heads_per_layer", "ffn_per_layer", "head_size"}) json.erase(key);
    return;
  }
  const auto all = [](const std::vector<int64_t>& values) {
    Json list = Json::make_array();
    for (const int64_t v : values) list.append(v);
    return list;
  };
  json.set("heads_per_layer", all(c.heads_per_layer))
      .set("ffn_per_layer", all(c.ffn_per_layer))
      .set("head_size", c.head_size);
}

void write_labels(const ModelConfig& c, Json& json) {
  json.erase("num_labels");
  if (!c.labels.empty()) {
    Json::Members id2label, label2id;
    std::unordered_map<std::string_view, size_t> places;  // of equal labels the last number counts
    for (size_t i = 0; i < c.labels.size(); ++i) {
      id2label.push_back({std::to_string(i), c.labels[i]});
      const auto [place, added] = places.emplace(c.labels[i], label2id.size());
      if (added)
        label2id.push_back({c.labels[i], i});
      else
        label2id[place->second].value = i;
    }
    json.set("id2label", Json::make_object(std::move(id2label)))
        .set("label2id", Json::make_object(std::move(label2id)));
  } else {
    json.erase("id2label");
    json.erase("label2id");
  }
  if (!c.problem_type.empty())
    json.set("problem_type", c.problem_type);
  else
    json.erase("problem_type");
}

}  // namespace

Json ModelConfig::to_json() const {
  Json json = other;
  const ConfigKeys& keys = family->keys;
  json.set("model_type", family->model_type)
      .set("vocab_size", vocab_size)
      .set(keys.hidden_size, hidden_size);
  write_layers(*this, json);
  json.set("max_position_embeddings", max_position_embeddings)
      .set("type_vocab_size", type_vocab_size)
      .set(keys.activation, name_of(hidden_act))
      .set(keys.dropout, hidden_dropout_prob)
      .set(keys.attention_dropout, attention_probs_dropout_prob)
      .set("layer_norm_eps", layer_norm_eps)
      .set("initializer_range", initializer_range)
      .set("pad_token_id", pad_token_id < 0 ? Json() : Json(pad_token_id))
      .set("tie_word_embeddings", tie_word_embeddings)
      .set(keys.classifier_dropout, classifier_dropout ? Json(*classifier_dropout) : Json());
  if (embedding_size) json.set("embedding_size", embedding_size);
  if (position_scale != 1 || json.has("position_scale")) json.set("position_scale", position_scale);
  write_labels(*this, json);
  if (!architectures.empty()) {
    Json names = Json::make_array();
    for (const std::string& name : architectures) names.append(name);
    json.set("architectures", std::move(names));
  }
  if (family->write_config) family->write_config(*this, json);
  return json;
}

}  // namespace ink
