// Words that no dictionary holds: a hidden Markov model over characters, decoded by Viterbi.
//
// Every Han character begins a word, stands inside, ends one or is one (states B, M, E, S). The
// probabilities are those that jieba ships as prob_start.py, prob_trans.py and prob_emit.py in its
// folder `finalseg`; they are read as text, never executed.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "text/utf8.h"

namespace ink {

class WordHmm {
 public:
  // Raises Error naming file and offset when a table is missing or not of the expected form.
  static WordHmm load(const std::filesystem::path& finalseg_folder);

  // Appends the words of `han`, characters U+4E00 to U+9FD5 only, as spans moved by `shift`.
  void cut(std::u32string_view han, int32_t shift, std::vector<Span>& words) const;

  uint64_t digest() const;  // of the tables (tensor/fingerprint.h)

  static constexpr char32_t kFirst = 0x4E00, kLast = 0x9FD5;

 private:
  // In the order of their letters, which decides ties as the reference does.
  enum State : uint8_t { begin, end, middle, single };
  static constexpr size_t kStates = 4;
  using Scores = std::array<double, kStates>;  // log probabilities
  static State state_of(std::string_view letter, const std::string& source);

  WordHmm();
  Scores start_{};
  std::array<Scores, kStates> transition_{};  // from, to
  std::vector<Scores> emission_;              // by character - kFirst
};

}  // namespace ink
