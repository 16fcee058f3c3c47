// Rows of logits against one label each: −log softmax(x)[label] and its gradient, for two losses.
#pragma once
#include <cmath>
#include <cstdint>

#include "tensor/sums.h"
#include "tensor/tensor.h"
#include "tensor/vector_math.h"

namespace ink {

// log Σ exp x = peak + log total, with peak = max x and total = Σ exp(x − peak): nothing overflows.
template <class T>
struct LogSumExp {
  T peak, total;
};

template <class T>
LogSumExp<T> log_sum_exp(const T* x, int64_t V) {
  const T peak = row_maximum(V, x);
  return {peak, row_sum<T>(V, [=](int64_t v) { return vmath::exp(x[v] - peak); })};
}

template <class T>
T label_loss(const T* x, LogSumExp<T> s, int64_t label) {
  return std::log(s.total) + (s.peak - x[label]);
}

// dx = factor·(softmax(x) − onehot(label)), in place when dx is x.
template <class T>
void label_gradient(const T* x, LogSumExp<T> s, int64_t label, T factor, T* dx, int64_t V) {
  const T scale = factor / s.total;
#pragma omp simd
  for (int64_t v = 0; v < V; ++v) dx[v] = scale * vmath::exp(x[v] - s.peak);
  dx[label] -= factor;
}

// How many of the labels i32 (N) count; the others are kIgnore.
// Raises Error naming the first that is not in [0, V).
int64_t count_labels(const char* op, const Tensor& labels, int64_t N, int64_t V);

// The mean of N row losses over `count` rows as a scalar of their type; 0 when none counts.
Tensor mean_loss(const char* op, const Tensor& losses, int64_t count);

}  // namespace ink
