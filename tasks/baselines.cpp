// Counting classes and characters.
#include "tasks/baselines.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/error.h"
#include "text/utf8.h"

namespace ink {
namespace {

std::vector<int64_t> count_classes(const Examples& train) {
  check(train.labels.size() > 0, "baseline: expected labelled examples, got none in ",
        train.source);
  std::vector<int64_t> count(static_cast<size_t>(train.labels.size()));
  for (const Example& e : train.items) {
    check(e.label >= 0 && e.label < train.labels.size(), "", train.source, ':', e.line,
          ": expected a label");
    ++count[static_cast<size_t>(e.label)];
  }
  return count;
}

// Calls f(feature) for every code point c, as c, and every pair of neighbours b c,
// as (b + 1)·2²¹ + c.
template <class F>
void for_each_feature(const Example& example, const F& f) {
  for (const std::string* text : {&example.text, &example.pair}) {
    uint64_t before = 0;
    for (const char32_t c : decode_utf8(*text)) {
      f(uint64_t{c});
      if (before) f(before << 21 | c);
      before = uint64_t{c} + 1;
    }
  }
}

}  // namespace

int32_t majority_class(const Examples& train) {
  const std::vector<int64_t> count = count_classes(train);
  return static_cast<int32_t>(std::ranges::max_element(count) - count.begin());
}

NaiveBayes::NaiveBayes(const Examples& train, double alpha) : classes_(train.labels.size()) {
  check(alpha > 0, "naive_bayes: expected alpha > 0, got ", alpha);
  const std::vector<int64_t> examples = count_classes(train);
  for (const int64_t n : examples)
    prior_.push_back(n ? std::log(static_cast<double>(n) / static_cast<double>(train.size()))
                       : -std::numeric_limits<double>::infinity());

  const auto C = static_cast<size_t>(classes_);
  std::vector<double> total(C);
  for (const Example& e : train.items) {
    const auto c = static_cast<size_t>(e.label);
    for_each_feature(e, [&](uint64_t feature) {
      const auto [at, fresh] = row_of_.try_emplace(feature, static_cast<int64_t>(row_of_.size()));
      if (fresh) log_likelihood_.resize(log_likelihood_.size() + C);
      ++log_likelihood_[static_cast<size_t>(at->second) * C + c];
      ++total[c];
    });
  }
  const double smoothing = alpha * static_cast<double>(row_of_.size());
  for (size_t i = 0; i < log_likelihood_.size(); ++i)
    log_likelihood_[i] = std::log((log_likelihood_[i] + alpha) / (total[i % C] + smoothing));
}

int32_t NaiveBayes::predict(const Example& example) const {
  std::vector<double> score = prior_;
  for_each_feature(example, [&](uint64_t feature) {
    const auto at = row_of_.find(feature);
    if (at == row_of_.end()) return;
    const double* row = log_likelihood_.data() + at->second * classes_;
    for (size_t c = 0; c < score.size(); ++c) score[c] += row[c];
  });
  return static_cast<int32_t>(std::ranges::max_element(score) - score.begin());
}

Baselines measure_baselines(const Examples& train, const Examples& dev) {
  check(train.labels == dev.labels,
        "baselines: training and development examples should have the same labels; got ",
        train.labels.known(), " and ", dev.labels.known());
  Baselines result;
  const int32_t majority = majority_class(train);
  const NaiveBayes bayes(train);
  Confusion always(dev.labels.size());
  result.naive_bayes_confusion = Confusion(dev.labels.size());
  for (const Example& e : dev.items) {
    always.add(e.label, majority);
    result.naive_bayes_confusion.add(e.label, bayes.predict(e));
  }
  result.majority = always.accuracy();
  result.naive_bayes = result.naive_bayes_confusion.accuracy();
  return result;
}

}  // namespace ink
