// Products in 8-bit integers: Y = epilogue(X·Wᵀ), row-major, for inference on the CPU.
//
//   y[m][n] = x_scale[m]·w_scale[n]·Σ_k (qx[m][k] − zero[m])·qw[n][k]
//
// W is quantised once, each row (an output channel) with a scale of its own; X anew in every
// product, each row (a token) with a scale and a zero of its own (quantize.h). Sums are exact
// integers, so an element is the same bits for any number of rows, threads and tiles, and without
// an activation on every instruction set. With |x[k]| ≤ X and |w[k]| ≤ W,
//
//   |y − Σ_k x[k]·w[k]| ≤ K·X·W/127, and some roundings of f32:
//
// each factor is off by half a scale at most, X/255 or W/254. A row of X that holds NaN or an
// infinity gives a row of NaN and touches no other.
#pragma once
#include <cstdint>

#include "tensor/gemm.h"

namespace ink {

struct Int8Kernel;
const Int8Kernel& int8_kernel();  // int8_kernel.h

inline constexpr int64_t kLongestInt8 = 66311;  // K, so that no sum overflows: 255·127·K < 2³¹

// W (N, K) in the panels that a kernel reads, and the scales and sums of its rows.
class Int8Matrix {
 public:
  // Rows of K numbers at a distance of ld. Raises Error for NaN and infinities.
  Int8Matrix(const float* weight, int64_t ld, int64_t n, int64_t k,
             const Int8Kernel& kernel = int8_kernel());
  ~Int8Matrix();
  Int8Matrix(const Int8Matrix&) = delete;
  Int8Matrix& operator=(const Int8Matrix&) = delete;
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  int64_t bytes() const { return bytes_; }
  const Int8Kernel& kernel() const { return kernel_; }
  const int8_t* panels() const { return panels_; }
  const float* scales() const { return scales_; }  // zeros up to whole vectors, as
  const int32_t* sums() const { return sums_; }    // Σ_k qw[n][k]

 private:
  void pack_panel(const float* weight, int64_t ld, int64_t panel);

  const Int8Kernel& kernel_;
  int64_t n_, k_, bytes_ = 0;
  int8_t* panels_ = nullptr;
  float* scales_ = nullptr;
  int32_t* sums_ = nullptr;
};

// x is (M, K) at ldx, y (M, N) at ldy. Of the epilogue: bias, activation and residual. M, N or K
// may be 0; an empty sum is 0.
void int8_gemm(int64_t m, const float* x, int64_t ldx, const Int8Matrix& w, float* y, int64_t ldy,
               const Epilogue<float>& epilogue = {});

}  // namespace ink
