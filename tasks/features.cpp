// Tokenizing examples and packing them.
#include "tasks/features.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "tensor/error.h"
#include "tensor/fingerprint.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "text/batch.h"

namespace ink {

namespace {

std::vector<Feature> features_of(const Examples& examples, const Tokenizer& tokenizer,
                                 int64_t max_length) {
  check(!examples.items.empty(), "", examples.source, ": expected examples, found none");
  check(max_length >= 4, "features: expected max_length of at least 4, got ", max_length);
  std::vector<Feature> items(examples.size());
  parallel_for(static_cast<int64_t>(examples.size()), 16, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const Example& e = examples.items[i];
      const Encoding first = tokenizer.pieces(e.text);
      const Encoding second = e.pair.empty() ? Encoding() : tokenizer.pieces(e.pair);
      Encoding all =
          tokenizer.join(first, e.pair.empty() ? nullptr : &second, {.max_length = max_length});
      const bool cut = first.size() + second.size() + (e.pair.empty() ? 2 : 3) > all.size();
      items[i] = {std::move(all), {}, e.line, cut, e.numbers};
      if (e.numbers.empty()) items[i].targets = {e.label == kNoLabel ? kIgnore : e.label};
    }
  });
  return items;
}

}  // namespace

void forget_label(Feature& feature, const Feature& like) {
  feature.targets.assign(like.numbers.empty() ? 1 : 0, kIgnore);
  feature.numbers.assign(like.numbers.size(), std::numeric_limits<float>::quiet_NaN());
}

Features::Features(const Examples& examples, const Tokenizer& tokenizer, int64_t max_length)
    : Features(features_of(examples, tokenizer, max_length)) {}

Features::Features(std::vector<Feature> items) : items_(std::move(items)) {
  for (const Feature& item : items_) lengths_.push_back(item.encoding.size());
}

int64_t Features::tokens() const {
  return std::accumulate(lengths_.begin(), lengths_.end(), int64_t{0});
}

int64_t Features::longest() const { return lengths_.empty() ? 0 : std::ranges::max(lengths_); }

int64_t Features::truncated() const {
  return std::ranges::count(items_, true, &Feature::truncated);
}

bool Features::labelled(int64_t i) const {
  const Feature& item = (*this)[i];
  return item.numbers.empty() ? item.targets.front() != kIgnore : !std::isnan(item.numbers.front());
}

int64_t Features::decisions(int64_t i) const {
  const Feature& item = (*this)[i];
  return item.numbers.empty() ? std::ssize(item.targets) : 1;
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
  std::vector<float> numbers;
  for (const int64_t row : rows) {
    const Feature& item = items_.at(static_cast<size_t>(row));
    chosen.push_back(item.encoding);
    labels.insert(labels.end(), item.targets.begin(), item.targets.end());
    numbers.insert(numbers.end(), item.numbers.begin(), item.numbers.end());
  }
  const auto B = static_cast<int64_t>(rows.size());
  return {pack(chosen),
          numbers.empty() ? from(labels) : reshape(from(numbers), {B, std::ssize(numbers) / B}),
          {rows.begin(), rows.end()}};
}

std::string Features::digest() const {
  Digest digest;
  std::vector<int32_t> targets;
  std::vector<float> numbers;
  for (const Feature& item : items_) {
    const Encoding& e = item.encoding;
    digest.add(std::span<const int32_t>(e.ids)).add(std::span<const int32_t>(e.segments));
    targets.insert(targets.end(), item.targets.begin(), item.targets.end());
    numbers.insert(numbers.end(), item.numbers.begin(), item.numbers.end());
  }
  digest.add(std::span<const int32_t>(targets));
  if (!numbers.empty()) digest.add(std::span<const float>(numbers));
  return digest.to_string();
}

std::string truncation_notice(const Features& features, const std::string& what) {
  if (features.truncated() == 0) return "";
  return std::to_string(features.truncated()) + " of " + std::to_string(features.size()) + ' ' +
         what + " are longer than " + std::to_string(features.longest()) +
         " tokens (max_length); their ends are not read";
}

}  // namespace ink
