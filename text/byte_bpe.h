// Byte-level BPE: words as bytes, neighbours merged by learned rules, the earliest rule first.
//
// Text is cut in words by the pattern of GPT-2 (Radford et al. 2019): contractions, letters,
// numbers and the rest, each with one space before it. A word's bytes are its first symbols, so
// nothing is unknown; then the pair of neighbours whose rule was learned first is merged, the
// leftmost of equals, until no rule applies (Sennrich et al. 2016). In the vocabulary a byte is
// written as a visible character: "Ġ" is the space.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/added_tokens.h"
#include "text/normalize.h"
#include "text/token_sink.h"
#include "text/vocabulary.h"

namespace ink {

struct ByteBpeOptions {
  bool add_prefix_space = false;  // a text that does not begin with a space is cut as if it did
  bool trim_offsets = true;       // places leave out the spaces at the ends of tokens
  bool operator==(const ByteBpeOptions&) const = default;
};

class ByteBpe {
 public:
  using Merge = std::pair<int32_t, int32_t>;  // ids of the left and the right token

  // `merges` has the form of merges.txt: a line for each, two tokens with a space between them.
  // Raises Error, naming `source` and the line, for other lines, and when a byte or a merge's parts
  // or result have no token.
  ByteBpe(const Vocabulary& vocabulary, std::string_view merges, ByteBpeOptions options = {},
          const std::string& source = "merges");

  void cut(const Normalized& text, TokenSink& out) const;
  const ByteBpeOptions& options() const { return options_; }
  void set_options(const ByteBpeOptions& options) { options_ = options; }
  const std::vector<Merge>& merges() const { return merges_; }

  // Takes the spaces at the ends of tokens out of the places of a whole text's tokens; `added` are
  // those whose spaces stand in the text alone.
  void trim(const Decoded& text, const AddedTokens& added, Encoding& tokens) const;
  // The bytes that a token stands for; a token that is not made of byte characters is itself.
  static std::string bytes_of(std::string_view token);

 private:
  struct Rule {
    uint64_t pair = ~uint64_t{0};  // left id << 32 | right id
    int32_t rank = 0, merged = 0;
  };
  struct Symbol {
    int32_t id, end;         // in bytes of the word; it begins where its neighbour ends
    int32_t previous, next;  // symbols, -1 at the ends
  };
  struct Spaces {  // characters at the ends of a token
    int32_t leading, trailing;
  };
  static Spaces spaces_of(std::u32string_view token);
  struct Scratch;
  struct Hash {
    using is_transparent = void;  // NOLINT: the name is the standard library's
    size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  void read_merges(const Vocabulary& vocabulary, std::string_view lines, const std::string& source);
  void add_rule(const Merge& merge, int32_t rank, int32_t merged);
  const Rule* rule(int32_t left, int32_t right) const;
  void merge(std::string_view word, Scratch& scratch) const;
  void cut_word(std::u32string_view word, const int32_t* source, Scratch& scratch,
                TokenSink& out) const;

  ByteBpeOptions options_;
  std::vector<Merge> merges_;
  std::array<int32_t, 256> byte_ids_{};
  std::vector<Spaces> spaces_;  // by id
  std::vector<Rule> rules_;     // open addressing; a power of two, at most half in use
  int shift_ = 0;
  // Words that are one token in the end, by their bytes: most of a text.
  std::unordered_map<std::string, int32_t, Hash, std::equal_to<>> whole_words_;
};

}  // namespace ink
