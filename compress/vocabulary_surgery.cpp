// A model with fewer tokens: gathering the rows and columns that stay, and renaming ids in config.
#include "compress/vocabulary_surgery.h"

#include <cstring>
#include <functional>
#include <map>

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

const std::byte* bytes_of(const Tensor& x) {
  return static_cast<const std::byte*>(x.storage()->data()) +
         static_cast<size_t>(x.offset()) * size_of(x.dtype());
}

// The slices of `value` at the kept ids, along axis 0 or the last of two.
Tensor gathered(const Tensor& value, int axis, const KeptTokens& kept) {
  const Tensor x = contiguous(value);
  Shape shape = x.shape();
  shape[axis] = kept.size();
  Tensor y(shape, x.dtype());
  const int64_t outer = axis == 0 ? 1 : x.dim(0), rows = x.dim(axis);
  const size_t unit = x.bytes() / static_cast<size_t>(outer * rows);
  auto* to = static_cast<std::byte*>(y.storage()->data());
  for (int64_t o = 0; o < outer; ++o)
    for (const int32_t id : kept.ids()) {
      std::memcpy(to, bytes_of(x) + static_cast<size_t>(o * rows + id) * unit, unit);
      to += unit;
    }
  return y;
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
    return axis == axes.end() ? value : gathered(value, axis->second, kept);
  });
}

}  // namespace ink
