// Features: examples as token ids, and batches of them.
//
// Single texts become [CLS] text [SEP], pairs [CLS] text [SEP] pair [SEP]; what exceeds max_length
// is cut from the end, of the longer text first.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tasks/examples.h"
#include "tensor/packed.h"
#include "text/encoding.h"
#include "text/tokenizer.h"

namespace ink {

struct FeatureBatch {
  Packed inputs;
  Tensor labels;              // i32 (B), kIgnore where there is none
  std::vector<int64_t> rows;  // which examples these are
};

struct BatchPlan {
  int64_t sequences = 32;                // in a batch
  int64_t max_tokens = 16384;            // in a batch; a batch of long sequences has fewer of them
  std::optional<uint64_t> shuffle = {};  // seed; absent: in the order of the file
  // Sequences that are sorted by length before they are cut in batches; 0: not sorted.
  int64_t sort_window = 0;
};

class Features {
 public:
  Features(const Examples& examples, const Tokenizer& tokenizer, int64_t max_length);

  int64_t size() const { return static_cast<int64_t>(encodings_.size()); }
  int64_t tokens() const;
  int64_t truncated() const { return truncated_; }  // examples that lost tokens
  int64_t max_length() const { return max_length_; }
  int64_t length(int64_t i) const { return lengths_[static_cast<size_t>(i)]; }
  int32_t label(int64_t i) const { return labels_[static_cast<size_t>(i)]; }
  int64_t line(int64_t i) const { return lines_[static_cast<size_t>(i)]; }  // of its example

  // Rows of each batch of one pass over all examples; each example occurs once.
  std::vector<std::vector<int64_t>> plan(const BatchPlan& plan) const;
  FeatureBatch batch(std::span<const int64_t> rows) const;
  std::string digest() const;  // of tokens and labels, in order (tensor/fingerprint.h)

 private:
  std::vector<Encoding> encodings_;
  std::vector<int64_t> lengths_, lines_;
  std::vector<int32_t> labels_;
  int64_t max_length_, truncated_ = 0;
};

// "12 of 900 lines are longer than 128 tokens (max_length); their ends are not read"; empty where
// none is.
std::string truncation_notice(int64_t truncated, int64_t all, const std::string& what,
                              int64_t max_length);
std::string truncation_notice(const Features& features, const std::string& what);

}  // namespace ink
