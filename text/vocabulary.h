// Vocabulary: the tokens of a model, numbered from 0 by their line in vocab.txt.
//
// Every line is a token with an id, as in other programs, so that all ids stay what they are: an
// empty line is a token that no text has, and of equal lines the last one counts. Invalid UTF-8 and
// missing special tokens are errors. CR LF line ends are accepted.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

// The tokens with a meaning of their own, by the names of tokenizer_config.json; "": there is none.
struct SpecialTokens {
  std::string unk = "[UNK]";    // a word that the vocabulary cannot spell
  std::string cls = "[CLS]";    // first of every sequence
  std::string sep = "[SEP]";    // ends every part of a sequence
  std::string mask = "[MASK]";  // hides a token in pre-training
  std::string pad = "[PAD]";    // fills rectangular batches of other programs
  bool operator==(const SpecialTokens&) const = default;
  static SpecialTokens none() { return {"", "", "", "", ""}; }
};

class Vocabulary {
 public:
  static Vocabulary load(const std::filesystem::path& vocab_txt, SpecialTokens names = {});
  // The same from the content of such a file.
  static Vocabulary parse(std::string_view text, const std::string& source,
                          SpecialTokens names = {});
  // `source` stands in error messages for where the tokens are from.
  explicit Vocabulary(const std::vector<std::string>& tokens, SpecialTokens names = {},
                      const std::string& source = "vocabulary");

  // Gives the next ids to more tokens, and names the special ones anew.
  void append(const std::vector<std::string>& tokens, SpecialTokens names,
              const std::string& source);

  size_t written() const;     // tokens that are not empty
  size_t characters() const;  // code points of all tokens
  int32_t size() const { return static_cast<int32_t>(ends_.size()); }
  // Lives as long as the vocabulary. Raises Error when id is outside [0, size()).
  std::string_view token(int32_t id) const;
  std::optional<int32_t> find(std::string_view token) const;  // of equal tokens the last
  int32_t id(std::string_view token) const { return find(token).value_or(unk()); }
  std::vector<std::string> tokens() const;  // a copy

  // Raise Error where there is none.
  int32_t unk() const { return special(0, "unknown"); }
  int32_t cls() const { return special(1, "classification"); }
  int32_t sep() const { return special(2, "separator"); }
  int32_t mask() const { return special(3, "mask"); }
  int32_t pad() const { return special(4, "padding"); }
  bool is_special(int32_t id) const;
  const SpecialTokens& special_tokens() const { return names_; }

  // Raises Error where a token holds a line break or ends with CR, which vocab.txt cannot express.
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
  int32_t special(size_t which, const char* what) const;

  std::string text_;            // all tokens, one behind the other
  std::vector<uint32_t> ends_;  // where each ends
  std::vector<int32_t> index_;  // ids by their token's hash, probed linearly; at most half in use
  SpecialTokens names_;
  std::array<int32_t, 5> special_ids_{};  // unk, cls, sep, mask, pad
};

}  // namespace ink
