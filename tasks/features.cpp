// Tokenizing examples and packing them.
#include "tasks/features.h"

#include <numeric>

#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "text/batch.h"

namespace ink {

Features::Features(const Examples& examples, const Tokenizer& tokenizer, int64_t max_length)
    : encodings_(examples.size()), lengths_(examples.size()), max_length_(max_length) {
  check(!examples.items.empty(), "", examples.source, ": expected examples, found none");
  check(max_length >= 4, "features: expected max_length of at least 4, got ", max_length);
  std::vector<uint8_t> cut(examples.size());
  parallel_for(static_cast<int64_t>(examples.size()), 16, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const Example& e = examples.items[i];
      const Encoding first = tokenizer.pieces(e.text);
      const Encoding second = e.pair.empty() ? Encoding() : tokenizer.pieces(e.pair);
      encodings_[i] =
          tokenizer.join(first, e.pair.empty() ? nullptr : &second, {.max_length = max_length});
      lengths_[i] = encodings_[i].size();
      cut[i] = first.size() + second.size() + (e.pair.empty() ? 2 : 3) > lengths_[i];
    }
  });
  truncated_ = std::accumulate(cut.begin(), cut.end(), int64_t{0});
  for (const Example& e : examples.items) {
    labels_.push_back(e.label == kNoLabel ? kIgnore : e.label);
    lines_.push_back(e.line);
  }
}

int64_t Features::tokens() const {
  return std::accumulate(lengths_.begin(), lengths_.end(), int64_t{0});
}

std::vector<std::vector<int64_t>> Features::plan(const BatchPlan& plan) const {
  return batches(lengths_, {.max_tokens = plan.max_tokens,
                            .max_sequences = plan.sequences,
                            .shuffle = plan.shuffle,
                            .sort_window = plan.sort_window});
}

FeatureBatch Features::batch(std::span<const int64_t> rows) const {
  std::vector<Encoding> chosen;
  std::vector<int32_t> labels;
  for (const int64_t row : rows) {
    chosen.push_back(encodings_.at(static_cast<size_t>(row)));
    labels.push_back(labels_[static_cast<size_t>(row)]);
  }
  return {pack(chosen), from(labels), {rows.begin(), rows.end()}};
}

std::string Features::digest() const {
  Digest digest;
  for (const Encoding& e : encodings_) {
    digest.add(std::span<const int32_t>(e.ids)).add(std::span<const int32_t>(e.segments));
  }
  return digest.add(std::span<const int32_t>(labels_)).to_string();
}

std::string truncation_notice(int64_t truncated, int64_t all, const std::string& what,
                              int64_t max_length) {
  if (truncated == 0) return "";
  return std::to_string(truncated) + " of " + std::to_string(all) + ' ' + what +
         " are longer than " + std::to_string(max_length) +
         " tokens (max_length); their ends are not read";
}

std::string truncation_notice(const Features& features, const std::string& what) {
  return truncation_notice(features.truncated(), features.size(), what, features.max_length());
}

}  // namespace ink
