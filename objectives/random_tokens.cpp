// Ids of the vocabulary that stand for text.
#include "objectives/random_tokens.h"

#include <algorithm>
#include <string_view>

#include "tensor/error.h"

namespace ink {
namespace {

bool in_brackets(std::string_view token) {
  return token.size() > 2 && ((token.starts_with('[') && token.ends_with(']')) ||
                              (token.starts_with('<') && token.ends_with('>')));
}

}  // namespace

RandomTokens RandomTokens::words_of(const Vocabulary& v) {
  const std::vector<int32_t> special{v.pad(), v.unk(), v.cls(), v.sep(), v.mask()};
  std::vector<int32_t> ids;
  for (int32_t id = 0; id < v.size(); ++id)
    if (!in_brackets(v.token(id)) && std::ranges::count(special, id) == 0) ids.push_back(id);
  check(!ids.empty(), "random tokens: expected words in the vocabulary, got none among ", v.size(),
        " tokens");
  RandomTokens out(std::ssize(ids));
  out.ids_ = std::make_shared<const std::vector<int32_t>>(std::move(ids));
  return out;
}

}  // namespace ink
