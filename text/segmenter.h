// Segmenter: Chinese text → words, equal to jieba's default mode on the same dictionary.
//
// The text is cut in blocks of Han, letters and digits. In each block every dictionary word at
// every position is an edge of a graph; dynamic programming finds the path of the highest product
// of word frequencies; single characters left side by side are given to a hidden Markov model
// (text/word_hmm.h) that finds words the dictionary lacks.
//
// The dictionary is any text file of lines "word frequency [part of speech]". Nothing of it is part
// of inkstone: Debian's package python3-jieba brings one, with the model's tables beside it.
//
//   const Segmenter segmenter = Segmenter::load();
//   segmenter.words("今天天气很好");  // 今天天气 很 好
//
// A Segmenter is immutable; any number of threads may use it.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/trie.h"
#include "text/utf8.h"
#include "text/word_hmm.h"

namespace ink {

struct SegmenterFiles {
  // Empty: $INK_DICTIONARY, else /usr/lib/python3/dist-packages/jieba/dict.txt.
  std::filesystem::path dictionary = {};
  // Folder of the model's tables. Empty: "finalseg" beside the dictionary if it is there; if not,
  // the segmenter works without a model, and has_hmm() says so.
  std::filesystem::path hmm = {};
};

// Where the words come from: `named`, or what an empty one stands for. Raises Error where that is
// nowhere.
std::filesystem::path dictionary_at(const std::filesystem::path& named);

class Segmenter {
 public:
  // Raises Error when the dictionary is missing or malformed, naming the line.
  static Segmenter load(const SegmenterFiles& files = {});

  // Words as spans of code points, in order, covering the whole text. Without the model, whether
  // absent or not wanted, unknown words fall into characters (runs of letters and digits stay).
  std::vector<Span> cut(std::u32string_view text, bool use_hmm = true) const;
  // The same as strings; raises Error when the text is not UTF-8.
  std::vector<std::string> words(std::string_view text, bool use_hmm = true) const;

  bool has_hmm() const { return hmm_.has_value(); }
  int64_t dictionary_words() const { return static_cast<int64_t>(log_frequency_.size()); }
  // Of all that decides words: the dictionary and the model's tables (tensor/fingerprint.h).
  const std::string& digest() const { return digest_; }

 private:
  Segmenter() = default;
  void read_dictionary(std::string_view text, const std::string& source);
  void cut_block(std::u32string_view text, Span block, bool use_hmm, std::vector<Span>& out) const;
  std::vector<int32_t> best_path(std::u32string_view block) const;
  void cut_unknown(std::u32string_view text, Span run, std::vector<Span>& out) const;

  Trie trie_;                          // word → index
  std::vector<double> log_frequency_;  // log(frequency / total)
  double log_one_ = 0;                 // log(1 / total), for characters that are no word
  std::optional<WordHmm> hmm_;
  std::string digest_;
};

}  // namespace ink
