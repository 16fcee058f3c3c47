// Tokenizer: text ⇄ ids by BERT's normalization and greedy WordPiece, equal to the fast tokenizer.
//
// Special tokens written in the text ("[MASK]", exactly so) stay whole; what lies between them is
// normalized and cut in words (text/normalize.h), and each word is spelled by the longest pieces of
// the vocabulary from left to right, "##" marking those that continue a word (Wu et al. 2016). A
// word that cannot be spelled, or is longer than 100 characters, is one [UNK].
//
//   const Tokenizer tokenizer = Tokenizer::load("model");
//   const Encoding e = tokenizer.encode("今天天气很好。", {.max_length = 128});
//   tokenizer.decode(e.ids);  // "今 天 天 气 很 好 。"
//
// A Tokenizer is immutable; any number of threads may use it. Text that is not UTF-8 raises Error
// with the offset; replace_invalid_utf8 repairs it beforehand.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/encoding.h"
#include "text/normalize.h"
#include "text/trie.h"
#include "text/vocabulary.h"

namespace ink {

// Where a sequence that is too long loses tokens; always at the end of a text.
enum class Truncation : uint8_t {
  longest_first,  // the longer text down to the shorter one, then both alike
  first,          // the first text only
  second,         // the second text only
};

struct EncodeOptions {
  int64_t max_length = 0;  // tokens including [CLS] and [SEP]; 0: unlimited
  Truncation truncation = Truncation::longest_first;
};

class Tokenizer {
 public:
  explicit Tokenizer(Vocabulary vocabulary, NormalizeOptions options = {});
  // From a model folder: vocab.txt with tokenizer_config.json where there is one, or else
  // tokenizer.json. Raises Error for tokenizers of another kind.
  static Tokenizer load(const std::filesystem::path& folder);
  void save(const std::filesystem::path& folder) const;  // vocab.txt, tokenizer_config.json

  // [CLS] text [SEP], or [CLS] first [SEP] second [SEP].
  Encoding encode(std::string_view text, const EncodeOptions& options = {}) const;
  Encoding encode(std::string_view first, std::string_view second,
                  const EncodeOptions& options = {}) const;
  // The tokens of the text alone, and the join of one or two of them (null: only one), for callers
  // that compose sequences themselves.
  Encoding pieces(std::string_view text) const;
  Encoding join(const Encoding& first, const Encoding* second,
                const EncodeOptions& options = {}) const;
  // encode() of each text, in parallel.
  std::vector<Encoding> encode_all(std::span<const std::string> texts,
                                   const EncodeOptions& options = {}) const;

  // Tokens joined by spaces, pieces glued to their word, no space before . , ! ?
  std::string decode(std::span<const int32_t> ids, bool skip_special = true) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const NormalizeOptions& options() const { return options_; }

 private:
  void add_pieces(const Decoded& text, Span part, Encoding& out) const;
  void spell(std::u32string_view word, std::vector<int32_t>& ids, std::vector<Span>& pieces) const;

  Vocabulary vocabulary_;
  NormalizeOptions options_;
  Trie pieces_;                              // all tokens
  Trie::Node continuation_ = Trie::nowhere;  // behind "##"
  Trie special_;                             // special tokens
  std::u32string special_starts_;            // their first characters
};

}  // namespace ink
