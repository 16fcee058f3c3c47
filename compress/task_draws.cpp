// Draws of tasks, kept so that those of earlier micro-batches need not be made again.
#include "compress/task_draws.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"

namespace ink {

std::vector<double> task_probabilities(std::span<const int64_t> batches, double tau) {
  check(std::isfinite(tau) && tau >= 0, "multi_task: expected a tau of at least 0, got ", tau);
  double largest = 0;
  for (const int64_t count : batches) {
    check(count > 0, "multi_task: expected batches of every task, got ", count);
    largest = std::max(largest, static_cast<double>(count));
  }
  std::vector<double> shares;
  double sum = 0;  // at least 1, whatever τ
  for (const int64_t count : batches)
    sum += shares.emplace_back(std::pow(static_cast<double>(count) / largest, tau));
  for (double& share : shares) share /= sum;
  return shares;
}

TaskDraws::Draw TaskDraws::operator[](int64_t micro_batch) {
  counts_.resize(probabilities_.size());
  while (std::ssize(draws_) <= micro_batch) {
    double left = random_.uniform(4 * draws_.size());
    size_t task = 0;
    while (task + 1 < probabilities_.size() && left >= probabilities_[task])
      left -= probabilities_[task++];
    draws_.push_back({task, counts_[task]++});
  }
  return draws_[static_cast<size_t>(micro_batch)];
}

}  // namespace ink
