// Added tokens: strings that stay whole wherever they stand in a text, such as "[MASK]".
//
// Those that are not normalized are looked for in the text as it is, then the others in what
// normalization has made of the rest. Of matches that overlap, the leftmost wins, then the longest.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/normalizer.h"
#include "text/trie.h"

namespace ink {

// The names are those of tokenizer.json.
struct AddedToken {
  std::string content = {};
  int32_t id = 0;
  bool single_word = false;  // only where no letter, mark or digit touches it
  bool lstrip = false;       // takes the whitespace to its left
  bool rstrip = false;       // takes the whitespace to its right
  bool normalized = false;   // looked for in the normalized text
  bool special = true;       // left out by decode()
  bool operator==(const AddedToken&) const = default;
};

class AddedTokens {
 public:
  AddedTokens() = default;
  // Raises Error for an empty content.
  AddedTokens(std::vector<AddedToken> tokens, const Normalizer& normalizer);

  struct Match {
    int32_t id;
    size_t begin, end;  // characters, with the whitespace taken
  };
  // All matches in a text, in order; `normalized` says which kind of text it is.
  std::vector<Match> find(std::u32string_view text, bool normalized) const;

  const std::vector<AddedToken>& tokens() const { return tokens_; }
  const AddedToken* find_id(int32_t id) const;  // null when it is no added token

 private:
  struct Set {
    Trie trie;  // content → index in tokens_
    std::array<bool, 128> ascii_starts{};
    bool other_starts = false;
    bool empty = true;
    void insert(std::u32string_view content, int32_t index);
    bool may_start(char32_t c) const { return c < 128 ? ascii_starts[c] : other_starts; }
  };
  std::vector<AddedToken> tokens_;  // by id
  std::array<Set, 2> sets_;         // by `normalized`
};

}  // namespace ink
