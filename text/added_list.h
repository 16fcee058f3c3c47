// AddedList: the tokens added to a model's own vocabulary, while the files that name them are read.
//
// An added token that the vocabulary has keeps its id there; any other gets the next id, in the
// order in which they come, whatever id its file gives: so the fast tokenizers do it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tensor/json.h"
#include "text/added_tokens.h"
#include "text/vocabulary.h"

namespace ink {

// {"content": "[MASK]", "lstrip": false, …}, or the content alone; without its id.
AddedToken read_added_token(const Json& item);
// The flag, or nothing where the key is absent or null.
std::optional<bool> optional_boolean(const Json& object, std::string_view key);

class AddedList {
 public:
  explicit AddedList(const Vocabulary& vocabulary)  // which outlives the list
      : vocabulary_(vocabulary), next_(vocabulary.size()) {}

  bool has(const std::string& content) const { return places_.contains(content); }
  void put(AddedToken token);           // in the place of an earlier one with the same content
  void put_missing(AddedToken token) {  // or leaves the earlier one as it is
    if (!has(token.content)) put(std::move(token));
  }
  // The tokens that the vocabulary lacks, since the last call; those after its own, by id.
  std::vector<std::string> take_new() { return std::exchange(new_, {}); }
  std::vector<AddedToken> sorted() &&;  // by id

 private:
  const Vocabulary& vocabulary_;
  int32_t next_;
  std::vector<AddedToken> tokens_;
  std::vector<std::string> new_;
  std::unordered_map<std::string, size_t> places_;  // in tokens_, by content
};

}  // namespace ink
