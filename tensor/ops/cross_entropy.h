// Rows of logits against one label each: −log softmax(x)[label] and its gradient, for two losses.
#pragma once
#include <cmath>
#include <cstdint>

#include "tensor/op.h"
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

// How many of the labels i32 (N), on the host, count; the others are kIgnore.
// Raises Error naming the first that is not in [0, V).
int64_t count_labels(const char* op, const Tensor& labels, int64_t N, int64_t V);

// The labels of a loss's rows as its kernels read them.
struct CountedLabels {
  Tensor ids;         // i32 (N), contiguous, on the device of the logits
  int64_t count = 0;  // on the CPU: how many count
  Tensor weight;      // on the CUDA device: 1/count as an f32 scalar, 0 when none counts
};

// Labels of the host are checked as in count_labels. Those that already lie on the CUDA device are
// not, so that nothing waits for it: the loss becomes NaN when one is outside [0, V).
CountedLabels labels_on(Cpu, const char* op, const Tensor& labels, int64_t N, int64_t V);
CountedLabels labels_on(Cuda, const char* op, const Tensor& labels, int64_t N, int64_t V);

// The mean of the row losses (N) that count as a scalar of their type; 0 when none counts.
Tensor mean_loss(Cpu, const Tensor& losses, const CountedLabels& labels);
Tensor mean_loss(Cuda, const Tensor& losses, const CountedLabels& labels);
// The same over all N rows.
Tensor mean_loss(Cpu, const Tensor& losses);
Tensor mean_loss(Cuda, const Tensor& losses);

}  // namespace ink
