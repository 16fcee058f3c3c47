// AddedList: the tokens added to a model's own vocabulary, while the files that name them are read.
#include "text/added_list.h"

#include <algorithm>

namespace ink {

AddedToken read_added_token(const Json& item) {
  if (item.is_string()) return {.content = item.as_string()};
  return {.content = item.string("content"),
          .single_word = item.boolean("single_word", false),
          .lstrip = item.boolean("lstrip", false),
          .rstrip = item.boolean("rstrip", false),
          .normalized = item.boolean("normalized", false),
          .special = item.boolean("special", false)};
}

std::optional<bool> optional_boolean(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  if (!value || value->is_null()) return std::nullopt;
  return object.boolean(key);
}

void AddedList::put(AddedToken token) {
  const auto [at, is_new] = places_.try_emplace(token.content, tokens_.size());
  if (!is_new) {
    token.id = tokens_[at->second].id;
    tokens_[at->second] = std::move(token);
    return;
  }
  const std::optional<int32_t> id = vocabulary_.find(token.content);
  if (!id) new_.push_back(token.content);
  token.id = id ? *id : next_++;
  tokens_.push_back(std::move(token));
}

std::vector<AddedToken> AddedList::sorted() && {
  std::ranges::sort(tokens_, {}, &AddedToken::id);
  return std::move(tokens_);
}

}  // namespace ink
