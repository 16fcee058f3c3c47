// Keeping a row's largest logits, and filling up the rest.
#include "compress/top_logits.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

constexpr int64_t kRowsOfAChunk = 8;

// log Σ exp z, of nothing but −∞ that.
double log_sum(const float* row, std::span<const int32_t> columns) {
  double most = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const int32_t j : columns) most = std::max(most, double{row[j]});
  if (std::isinf(most)) return most;
  for (const int32_t j : columns) sum += std::exp(row[j] - most);
  return most + std::log(sum);
}

}  // namespace

TopLogits top_logits(const Tensor& logits, int64_t k) {
  const int64_t R = logits.dim(0), C = logits.dim(1);
  check(k > 0 && k < C, "top_logits: expected k from 1 to ", C - 1, ", got ", k);
  TopLogits top{Tensor({R, k}), Tensor({R, k}, Dtype::i32), Tensor({R, 1})};
  parallel_for(R, kRowsOfAChunk, [&](int64_t begin, int64_t end) {
    std::vector<int32_t> order(static_cast<size_t>(C));
    for (int64_t r = begin; r < end; ++r) {
      const float* row = logits.data<float>() + r * C;
      std::iota(order.begin(), order.end(), 0);
      std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int32_t a, int32_t b) {
        return row[a] > row[b] || (row[a] == row[b] && a < b);
      });
      for (int64_t j = 0; j < k; ++j) {
        const int32_t column = order[static_cast<size_t>(j)];
        top.indices.data<int32_t>()[r * k + j] = column;
        top.values.data<float>()[r * k + j] = row[column];
      }
      const std::span<const int32_t> others = std::span(order).subspan(static_cast<size_t>(k));
      top.rest.data<float>()[r] = static_cast<float>(log_sum(row, others));
    }
  });
  return top;
}

Tensor restored(const TopLogits& top, int64_t classes) {
  const int64_t R = top.values.dim(0), k = top.values.dim(1);
  const auto share = static_cast<float>(std::log(static_cast<double>(classes - k)));
  Tensor logits({R, classes});
  for (int64_t r = 0; r < R; ++r) {
    float* row = logits.data<float>() + r * classes;
    std::fill_n(row, classes, top.rest.data<float>()[r] - share);
    for (int64_t j = 0; j < k; ++j) {
      const int32_t column = top.indices.data<int32_t>()[r * k + j];
      check(column >= 0 && column < classes, "top_logits: expected indices from 0 to ", classes - 1,
            ", got ", column);
      row[column] = top.values.data<float>()[r * k + j];
    }
  }
  return logits;
}

}  // namespace ink
