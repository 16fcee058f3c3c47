// Confusion: counts of (true class, predicted class); accuracy, precision, recall and F1 from them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace ink {

// One class. A ratio without a denominator is 0.
struct ClassMetrics {
  int64_t support = 0;    // examples of this class
  int64_t predicted = 0;  // examples said to be of this class
  int64_t correct = 0;
  double precision() const {
    return predicted ? static_cast<double>(correct) / static_cast<double>(predicted) : 0;
  }
  double recall() const {
    return support ? static_cast<double>(correct) / static_cast<double>(support) : 0;
  }
  double f1() const {  // 2PR/(P+R) = 2·correct/(support + predicted)
    const int64_t both = support + predicted;
    return both ? 2.0 * static_cast<double>(correct) / static_cast<double>(both) : 0;
  }
};

class Confusion {
 public:
  explicit Confusion(int32_t classes);
  Confusion(int32_t classes, std::span<const int32_t> truth, std::span<const int32_t> predicted);

  void add(int32_t truth, int32_t predicted);  // raises Error for a class out of range
  int32_t classes() const { return classes_; }
  int64_t at(int32_t truth, int32_t predicted) const;
  int64_t total() const;
  ClassMetrics of(int32_t c) const;
  double accuracy() const;  // 0 of no examples
  double macro_f1() const;  // mean F1 of the classes that occur among truths or predictions

 private:
  int32_t classes_;
  std::vector<int64_t> counts_;  // (truth, predicted)
};

}  // namespace ink
