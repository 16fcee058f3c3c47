// Features: examples as token ids with what a model should say of them, and batches of these.
//
// Of a class an example has one target, of tags and spans one for each token; a batch puts those of
// its examples one behind the other. Where numbers are sought (a score, or whether each of several
// labels is given) an example has as many numbers instead.
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

struct Feature {
  Encoding encoding;
  std::vector<int32_t> targets;     // kIgnore where there is none
  int64_t line = 0;                 // of the example in its file
  bool truncated = false;           // whether it lost tokens
  std::vector<float> numbers = {};  // instead of targets; NaN where they are not known
};

// Leaves `feature`, of a whole text, without a label, of the kind that `like` has.
void forget_label(Feature& feature, const Feature& like);

struct FeatureBatch {
  Packed inputs;
  // i32: all targets, (B) of classes, (N) of tags; or f32 (B, L): the numbers
  Tensor labels;
  std::vector<int64_t> rows;  // which examples these are
  int64_t filling = 0;        // tokens at the end of inputs that belong to none (nn/fill.h)

  int64_t tokens() const { return inputs.tokens() - filling; }
};

struct BatchPlan {
  int64_t sequences = 32;                // in a batch
  int64_t max_tokens = 16384;            // in a batch; a batch of long sequences has fewer of them
  std::optional<uint64_t> shuffle = {};  // seed; absent: in the order of the file
  // Sequences that are sorted by length before they are cut in batches; 0: not sorted.
  int64_t sort_window = 0;
};

// For evaluation: batches of sequences of like length.
inline constexpr BatchPlan kInferencePlan{.sequences = 64, .max_tokens = 4096, .sort_window = 4096};

class Features {
 public:
  // Texts with a class or numbers each. Single ones become [CLS] text [SEP], pairs [CLS] text [SEP]
  // pair [SEP]; what exceeds max_length is cut from the end, of the longer text first.
  Features(const Examples& examples, const Tokenizer& tokenizer, int64_t max_length);
  explicit Features(std::vector<Feature> items);

  int64_t size() const { return static_cast<int64_t>(items_.size()); }
  int64_t tokens() const;
  int64_t truncated() const;  // examples that lost tokens
  int64_t longest() const;    // tokens of the longest; max_length where there are truncated ones
  int64_t length(int64_t i) const { return lengths_[static_cast<size_t>(i)]; }
  int32_t label(int64_t i) const { return (*this)[i].targets.front(); }  // the first target
  bool labelled(int64_t i) const;                                        // whether it has one
  int64_t decisions(int64_t i) const;  // rows of logits: one, of tags one for each token
  int64_t line(int64_t i) const { return (*this)[i].line; }  // of its example
  const Feature& operator[](int64_t i) const { return items_[static_cast<size_t>(i)]; }

  // Rows of each batch of one pass over all examples; each example occurs once.
  std::vector<std::vector<int64_t>> plan(const BatchPlan& plan) const;
  FeatureBatch batch(std::span<const int64_t> rows) const;
  std::string digest() const;  // of tokens and targets, in order (tensor/fingerprint.h)

 private:
  std::vector<Feature> items_;
  std::vector<int64_t> lengths_;
};

// "12 of 900 lines are longer than 128 tokens (max_length); their ends are not read"; empty where
// none is.
std::string truncation_notice(const Features& features, const std::string& what);

}  // namespace ink
