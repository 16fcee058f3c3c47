// One step of skip-gram: v and u_0 … u_n move along the gradient of one pair's loss.
//
//   x_j = v · u_j;   g_j = rate · (y_j − σ(x_j)),   y_0 = 1, else 0
//   u_j += g_j v;    v += Σ_j g_j u_j
//
// Call inside simd::run.
#pragma once
#include <cstdint>

#include "tensor/sums.h"
#include "tensor/vector_math.h"

namespace ink {

inline constexpr int64_t kMostTargets = 64;  // the word of the pair, and up to 63 noise words
inline constexpr int64_t kRowFloats = 8;     // rows are padded with zeros to a multiple of this

class SkipGramStep {
 public:
  // stride: floats of a row, a multiple of kRowFloats.
  SkipGramStep(int64_t stride, float rate) : stride_(stride), rate_(rate) {}

  // `targets` rows u; each may occur twice.
  void operator()(float* v, float* const* u, int64_t targets) {
    targets_ = targets;
    const int64_t stride = stride_;
    for (int64_t j = 0; j < targets; ++j) {
      const float* row = u[j];
      x_[j] = row_sum<float>(stride, [=](int64_t i) { return v[i] * row[i]; });
    }
    const int64_t rounded = (targets + 7) / 8 * 8;
    const float rate = rate_;
#pragma omp simd
    for (int64_t j = 0; j < rounded; ++j) g_[j] = -rate * vmath::sigmoid(x_[j]);
    g_[0] += rate;
    for (int64_t first = 0; first < stride; first += kRowFloats) move(v + first, u, first);
  }

  // Of the step just made, before it.
  float loss() const {
    float sum = 0;
    for (int64_t j = 0; j < targets_; ++j) {
      const float x = j == 0 ? -x_[j] : x_[j];
      sum += vmath::at_least(x, 0) + vmath::log(1 + vmath::exp(-vmath::absolute(x)));
    }
    return sum;
  }

 private:
  void move(float* v, float* const* u, int64_t first) {
    float old[kRowFloats], sum[kRowFloats] = {};
    for (int64_t i = 0; i < kRowFloats; ++i) old[i] = v[i];
    for (int64_t j = 0; j < targets_; ++j) {
      float* row = u[j] + first;
      const float g = g_[j];
#pragma omp simd
      for (int64_t i = 0; i < kRowFloats; ++i) {
        sum[i] += g * row[i];
        row[i] += g * old[i];
      }
    }
#pragma omp simd
    for (int64_t i = 0; i < kRowFloats; ++i) v[i] = old[i] + sum[i];
  }

  int64_t stride_, targets_ = 0;
  float rate_;
  float x_[kMostTargets] = {}, g_[kMostTargets] = {};
};

}  // namespace ink
