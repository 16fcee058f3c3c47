// y = f(x Wᵀ + b) in 8-bit integers, for inference: x quantised row by row, integer products, the
// sums scaled back.
#include "tensor/int8_linear.h"

#include <algorithm>
#include <cmath>

#include "tensor/expect.h"
#include "tensor/int8_gemm.h"
#include "tensor/op.h"
#include "tensor/parallel.h"
#include "tensor/quantize.h"
#include "tensor/simd.h"

#if INK_CUDA
#include "cuda/gemm.h"
#include "cuda/int8_rows.cuh"
#endif

namespace ink {
namespace {

constexpr const char* kName = "int8_linear";

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

template <class T>
void int8_forward(Cpu, const T* x, const Int8Weight& weight, const T* bias, T* y, int64_t M,
                  Activation f) {
  if constexpr (std::is_same_v<T, float>) {
    int8_gemm(M, x, weight.k(), weight.panels(), y, weight.n(), {.bias = bias, .activation = f});
  } else {
    fail("int8_linear: expected f32 on the CPU, got f64");
  }
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// cuBLASLt multiplies 8-bit integers where K and N are multiples of 4 and rows of both factors lie
// along K; multiples of 16 are faster.

int64_t whole_sixteens(int64_t n) { return std::max<int64_t>((n + 15) / 16 * 16, 16); }

template <class T>
void int8_forward(Cuda, const T* x, const Int8Weight& weight, const T* bias, T* y, int64_t M,
                  Activation f) {
  const int64_t N = weight.numbers().dim(0), K = weight.numbers().dim(1);
  Tensor q({M, K}, Dtype::i8, Device::cuda), row_scales({M}, Dtype::f32, Device::cuda),
      row_zeros({M}, Dtype::i32, Device::cuda), sums({M, N}, Dtype::i32, Device::cuda);
  cuda::quantize_rows(x, M, weight.k(), q.data<int8_t>(), K, row_scales.data<float>(),
                      row_zeros.data<int32_t>());
  cuda::gemm(M, N, K, {q.data<int8_t>(), K}, {weight.numbers().data<int8_t>(), K, true},
             {sums.data<int32_t>(), N});
  cuda::scale_sums(sums.data<int32_t>(), N, row_scales.data<float>(), row_zeros.data<int32_t>(),
                   weight.scales().data<float>(), weight.sums().data<int32_t>(), bias, y, M,
                   weight.n(), f);
}

}  // namespace

// Quantised on the host.
void Int8Weight::move_to_device(const Tensor& weight) {
  check(k_ <= kLongestInt8, "int8: expected a weight of at most ", kLongestInt8, " inputs, got ",
        weight.shape());
  const int64_t N = n_, K = k_, ld = whole_sixteens(K);
  Tensor numbers = zeros({whole_sixteens(N), ld}, Dtype::i8), scales = zeros({whole_sixteens(N)}),
         sums = zeros({whole_sixteens(N)}, Dtype::i32);
  const float* w = weight.data<float>();
  int8_t* q = numbers.data<int8_t>();
  float* scale = scales.data<float>();
  int32_t* sum = sums.data<int32_t>();
  parallel_for(N, grain_for(K), [=](int64_t begin, int64_t end) {
    simd::run([=] {
      for (int64_t n = begin; n < end; ++n) {
        const QuantizedWeights row = quantize_weights(w + n * K, K, q + n * ld);
        scale[n] = row.scale, sum[n] = row.sum;
      }
    });
  });
  for (int64_t n = 0; n < N; ++n)
    check(!std::isnan(scale[n]), "int8: expected finite weights, got NaN or an infinity in row ", n,
          "; a model with such weights cannot be quantised");
  numbers_ = to(numbers, Device::cuda);
  scales_ = to(scales, Device::cuda);
  sums_ = to(sums, Device::cuda);
}
#else
}  // namespace

void Int8Weight::move_to_device(const Tensor&) { fail_without_kernels(kName); }
#endif

namespace {

void check_unwatched(const Tensor& x) {
  if (!Recorder::current) return;
  check(Recorder::current->resolve(x.grad_id).tape == 0, "int8_linear: it has no gradient; ",
        "expected a model in f32, f16 or bf16 for training, got one that was quantised to int8");
}

}  // namespace

Int8Weight::Int8Weight(const Tensor& weight, Device device) {
  expect_rank(kName, "the weight", weight, 2);
  const Tensor w = converted(on_host(weight), Dtype::f32);
  n_ = w.dim(0), k_ = w.dim(1);
  if (device == Device::cpu) {
    panels_ = std::make_shared<const Int8Matrix>(w.data<float>(), k_, n_, k_);
    return;
  }
  move_to_device(w);
}

size_t Int8Weight::bytes() const {
  return panels_ ? static_cast<size_t>(panels_->bytes())
                 : numbers_.bytes() + scales_.bytes() + sums_.bytes();
}

Tensor int8_linear(const Tensor& x_, const Int8Weight& weight, const Tensor& bias_, Activation f) {
  check(static_cast<bool>(weight), "int8_linear: expected a weight, got none");
  const int64_t M = rows_of(kName, x_), N = weight.n(), K = weight.k();
  check(x_.dim(-1) == K, "int8_linear: x should be (…, ", K, ") for a weight (", N, ", ", K,
        "), got ", x_.shape());
  check(x_.device() == weight.device(), "int8_linear: x lies on ", name_of(x_.device()),
        ", and the weight was quantised for ", name_of(weight.device()));
  check_unwatched(x_);
  if (bias_) expect(kName, "the bias", bias_, x_.dtype(), Shape{N});
  expect_one_device(kName, x_, bias_);
  const Tensor x = contiguous(x_), bias = bias_ ? contiguous(bias_) : bias_;
  Shape shape = x.shape();
  shape[-1] = N;
  Tensor y(shape, x.dtype(), x.device());
  if (M == 0 || N == 0) return y;
  on(kName, x, [&](auto device, auto t) {
    using T = decltype(t);
    int8_forward(device, x.data<T>(), weight, bias ? bias.data<T>() : nullptr, y.data<T>(), M, f);
  });
  return y;
}

}  // namespace ink
