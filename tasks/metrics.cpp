// Counting a confusion matrix and reading figures from it.
#include "tasks/metrics.h"

#include <numeric>

#include "tensor/error.h"

namespace ink {

Confusion::Confusion(int32_t classes) : classes_(classes) {
  check(classes > 0, "confusion: expected at least one class, got ", classes);
  counts_.resize(static_cast<size_t>(classes) * static_cast<size_t>(classes));
}

Confusion::Confusion(int32_t classes, std::span<const int32_t> truth,
                     std::span<const int32_t> predicted)
    : Confusion(classes) {
  check(truth.size() == predicted.size(), "confusion: expected a prediction for each of ",
        truth.size(), " examples, got ", predicted.size());
  for (size_t i = 0; i < truth.size(); ++i) add(truth[i], predicted[i]);
}

void Confusion::add(int32_t truth, int32_t predicted) {
  for (const int32_t c : {truth, predicted})
    check(c >= 0 && c < classes_, "confusion: expected a class from 0 to ", classes_ - 1, ", got ",
          c);
  ++counts_[static_cast<size_t>(truth) * static_cast<size_t>(classes_) +
            static_cast<size_t>(predicted)];
}

int64_t Confusion::at(int32_t truth, int32_t predicted) const {
  return counts_.at(static_cast<size_t>(truth) * static_cast<size_t>(classes_) +
                    static_cast<size_t>(predicted));
}

int64_t Confusion::total() const {
  return std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
}

ClassMetrics Confusion::of(int32_t c) const {
  ClassMetrics m;
  m.correct = at(c, c);
  for (int32_t other = 0; other < classes_; ++other) {
    m.support += at(c, other);
    m.predicted += at(other, c);
  }
  return m;
}

double Confusion::accuracy() const {
  int64_t correct = 0;
  for (int32_t c = 0; c < classes_; ++c) correct += at(c, c);
  const int64_t all = total();
  return all ? static_cast<double>(correct) / static_cast<double>(all) : 0;
}

double Confusion::macro_f1() const {
  double sum = 0;
  int32_t occurring = 0;
  for (int32_t c = 0; c < classes_; ++c) {
    const ClassMetrics m = of(c);
    if (m.support + m.predicted == 0) continue;
    sum += m.f1();
    ++occurring;
  }
  return occurring ? sum / occurring : 0;
}

}  // namespace ink
