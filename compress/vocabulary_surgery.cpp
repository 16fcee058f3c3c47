// A model with fewer tokens: gathering the rows and columns that stay, and renaming ids in config.
#include "compress/vocabulary_surgery.h"

#include <functional>
#include <map>
#include <vector>

#include "compress/cut.h"
#include "tensor/error.h"

namespace ink {
namespace {

// The axis along which a parameter has the vocabulary.
std::map<std::string, int> vocabulary_axes(const Model& model) {
  std::map<std::string, int> axes{{model.body.words().name, 0}};
  if (!model.masked_lm) return axes;
  axes.emplace(model.masked_lm->word.name, 0);
  axes.emplace(model.masked_lm->bias.name, 0);
  if (model.masked_lm->rest) axes.emplace(model.masked_lm->rest->name, 1);
  return axes;
}

// The parts of `rows` rows or columns whose tokens stay; rows behind the last token go.
std::vector<uint8_t> keep_of(const KeptTokens& kept, int64_t rows) {
  std::vector<uint8_t> keep(static_cast<size_t>(rows));
  for (const int32_t id : kept.ids()) keep[static_cast<size_t>(id)] = 1;
  return keep;
}

// Calls f(id) for each id in keys such as eos_token_id, one or a list, and puts in what it returns.
Json with_ids(Json config, const std::function<int64_t(int64_t id)>& f) {
  const Json::Members members = config.members();
  for (const auto& [key, value] : members) {
    if (!key.ends_with("_token_id")) continue;
    if (value.type() == Json::Type::integer) config.set(key, f(value.as_integer()));
    if (!value.is_array()) continue;
    Json list = Json::make_array();
    for (const Json& id : value.items())
      list.append(id.type() == Json::Type::integer ? Json(f(id.as_integer())) : id);
    config.set(key, std::move(list));
  }
  return config;
}

}  // namespace

TokenSet tokens_of_model(const ModelConfig& config, int32_t tokens) {
  TokenSet set(static_cast<size_t>(tokens));
  const auto put = [&](int64_t id) {
    if (id >= 0 && id < tokens) set[static_cast<size_t>(id)] = 1;
    return id;
  };
  with_ids(config.other, put);
  put(config.pad_token_id);
  if (config.positions_after_padding)
    for (int64_t id = 0; id < config.pad_token_id; ++id) put(id);
  return set;
}

Model with_vocabulary(const Model& model, const KeptTokens& kept) {
  check(kept.before() <= model.config.vocab_size, "prune: expected at most ",
        model.config.vocab_size, " tokens to choose from, as the model has rows, got ",
        kept.before());
  const TokenSet needed = tokens_of_model(model.config, kept.before());
  for (size_t id = 0; id < needed.size(); ++id)
    check(!needed[id] || kept.has(static_cast<int64_t>(id)), "prune: config.json names the id ", id,
          ", which was not kept");
  ModelConfig config = model.config;
  const auto renamed = [&](int64_t id) -> int64_t { return kept.new_id(id).value_or(id); };
  config.vocab_size = kept.size();
  config.pad_token_id = renamed(config.pad_token_id);
  config.other = with_ids(config.other, renamed);
  const std::map<std::string, int> axes = vocabulary_axes(model);
  return Model(config, model.heads, [&](const std::string& name, const Shape&, const Initial&) {
    const Tensor& value = model.parameters.at(name).value;
    const auto axis = axes.find(name);
    if (axis == axes.end()) return value;
    return cut_out(value, {axis->second, keep_of(kept, value.dim(axis->second))});
  });
}

}  // namespace ink
