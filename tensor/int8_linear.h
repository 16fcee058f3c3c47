// Linear layers in 8-bit integers, for inference: y = f(x Wᵀ + b) with W quantised once and x in
// every call, each row by itself (quantize.h, int8_gemm.h).
//
//   const Int8Weight weight(w, Device::cpu);
//   const Tensor y = int8_linear(x, weight, bias, Activation::gelu);
//
// x, b and y are floating-point: f32 on the CPU, f32, f16 or bf16 on the CUDA device, whose tensor
// cores multiply (cuda/int8_rows.cuh). Integers and scales are the same on both.
#pragma once
#include <memory>

#include "tensor/activation.h"
#include "tensor/tensor.h"

namespace ink {

class Int8Matrix;  // tensor/int8_gemm.h: a weight laid out for the CPU's kernels

class Int8Weight {
 public:
  Int8Weight() = default;  // none: converts to false
  // Of a weight (N, K) in any floating-point type and memory, to be multiplied on `device`; it is
  // not kept. Raises Error for NaN and infinities.
  Int8Weight(const Tensor& weight, Device device);

  explicit operator bool() const { return panels_ || numbers_; }
  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  Device device() const { return panels_ ? Device::cpu : Device::cuda; }
  size_t bytes() const;

  const Int8Matrix& panels() const { return *panels_; }  // on the CPU
  // On the CUDA device: i8 (N, K), and f32 and i32 (N) of its rows, all filled up with zeros to
  // multiples of 16.
  const Tensor& numbers() const { return numbers_; }
  const Tensor& scales() const { return scales_; }
  const Tensor& sums() const { return sums_; }

 private:
  void move_to_device(const Tensor& weight);

  int64_t n_ = 0, k_ = 0;
  std::shared_ptr<const Int8Matrix> panels_;
  Tensor numbers_, scales_, sums_;
};

// x (…, K), b (N) or undefined → (…, N). It has no gradient: a tape that watches x is an Error.
Tensor int8_linear(const Tensor& x, const Int8Weight& weight, const Tensor& bias,
                   Activation f = Activation::none);

}  // namespace ink
