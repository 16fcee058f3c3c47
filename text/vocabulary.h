// Vocabulary: the tokens of a model, numbered from 0 by their line in vocab.txt.
//
// Reading is strict, as two programs that number a damaged file differently would exchange nonsense
// silently: duplicates, empty lines, invalid UTF-8 and missing special tokens are errors that name
// the line. CR LF line ends are accepted.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

// The tokens with a meaning of their own, by the names of tokenizer_config.json.
struct SpecialTokens {
  std::string unk = "[UNK]";    // a word that the vocabulary cannot spell
  std::string cls = "[CLS]";    // first of every sequence
  std::string sep = "[SEP]";    // ends every part of a sequence
  std::string mask = "[MASK]";  // hides a token in pre-training
  std::string pad = "[PAD]";    // fills rectangular batches of other programs
  bool operator==(const SpecialTokens&) const = default;
};

class Vocabulary {
 public:
  static Vocabulary load(const std::filesystem::path& vocab_txt, SpecialTokens names = {});
  // The same from the content of such a file.
  static Vocabulary parse(std::string_view text, const std::string& source,
                          SpecialTokens names = {});
  // `source` stands in error messages for where the tokens are from. One token may be empty: other
  // programs make that of a token that is a line separator. No model ever gives it.
  explicit Vocabulary(const std::vector<std::string>& tokens, SpecialTokens names = {},
                      const std::string& source = "vocabulary");

  // Gives the next ids to more tokens. Raises Error for those that are there already.
  void append(const std::vector<std::string>& tokens, const std::string& source);

  int32_t size() const { return static_cast<int32_t>(ends_.size()); }
  // Lives as long as the vocabulary. Raises Error when id is outside [0, size()).
  std::string_view token(int32_t id) const;
  std::optional<int32_t> find(std::string_view token) const;
  int32_t id(std::string_view token) const { return find(token).value_or(unk()); }
  std::vector<std::string> tokens() const;  // a copy

  int32_t unk() const { return special_ids_[0]; }
  int32_t cls() const { return special_ids_[1]; }
  int32_t sep() const { return special_ids_[2]; }
  int32_t mask() const { return special_ids_[3]; }
  int32_t pad() const { return special_ids_[4]; }
  bool is_special(int32_t id) const;
  const SpecialTokens& special_tokens() const { return names_; }

  // Raises Error where a token holds a line break, which vocab.txt cannot express.
  void save(const std::filesystem::path& vocab_txt) const;
  bool operator==(const Vocabulary& other) const {
    return text_ == other.text_ && ends_ == other.ends_ && names_ == other.names_;
  }

 private:
  Vocabulary() = default;
  void append(std::string_view token);
  void number(SpecialTokens names, const std::string& source);  // once all tokens are there
  std::string_view at(size_t id) const;
  size_t slot(std::string_view token) const;

  std::string text_;            // all tokens, one behind the other
  std::vector<uint32_t> ends_;  // where each ends
  std::vector<int32_t> index_;  // ids by their token's hash, probed linearly; at most half in use
  SpecialTokens names_;
  std::array<int32_t, 5> special_ids_{};  // unk, cls, sep, mask, pad
};

}  // namespace ink
