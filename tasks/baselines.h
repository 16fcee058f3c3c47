// What a model must beat: the most frequent class, and naive Bayes over characters and their pairs.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "tasks/examples.h"
#include "tasks/metrics.h"

namespace ink {

// The class with most examples, the smallest id among equals.
// Raises Error when nothing is labelled.
int32_t majority_class(const Examples& train);

// Multinomial naive Bayes. The features f of a text are its code points and its pairs
// of neighbouring code points, each counted as often as it stands there (the two
// texts of a pair are counted one after the other, without a pair across). With n_c
// examples of class c among n, k(f, c) the count of f in class c, k(c) = Σ_f k(f, c)
// and F the number of different features seen in training:
//   score(c) = log(n_c / n) + Σ_f log((k(f, c) + α) / (k(c) + α·F)),   α = 1 (Laplace);
// features never seen in training are left out, classes never seen are not predicted, and the
// smallest id wins a tie.
class NaiveBayes {
 public:
  explicit NaiveBayes(const Examples& train, double alpha = 1);
  int32_t predict(const Example& example) const;

 private:
  int32_t classes_;
  std::vector<double> prior_;                     // (classes), log
  std::unordered_map<uint64_t, int64_t> row_of_;  // feature → row of log_likelihood_
  std::vector<double> log_likelihood_;            // (features, classes)
};

struct Baselines {
  double majority = 0, naive_bayes = 0;  // accuracies on dev
  Confusion naive_bayes_confusion{1};
};
Baselines measure_baselines(const Examples& train, const Examples& dev);

}  // namespace ink
