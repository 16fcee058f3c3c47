// y = f(z), z = x Wᵀ + b:   dz = dy·f'(z);   dx = dz W;   dW = dzᵀ x;   db = Σ dz over rows
//
// Bias and activation are applied while the product is in registers. z is kept for backward only
// when there is an activation, and only when the op is recorded.
#include "tensor/expect.h"
#include "tensor/gemm.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/ops/map.h"
#include "tensor/sums.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

// dz = dy·f'(z)
template <class T>
void activation_backward(Cpu device, Activation f, const T* z, const T* dy, T* dz, int64_t n) {
  vmath::with(f, [&](auto activation) {
    map(
        device, [&](T v, T g) { return g * activation.derivative(v); }, n, dz, z, dy);
  });
}

struct Linear {
  static constexpr const char* name = "linear";
  struct Saved {
    Tensor x, weight, z;  // z undefined without an activation
    Activation f;
  };

  static void check_packed(const PackedMatrix& packed, const Tensor& weight, int64_t N, int64_t K) {
    check(packed.n() == N && packed.k() == K, "linear: the packed weight should be (", N, ", ", K,
          "), got (", packed.n(), ", ", packed.k(), "); pack the weight of this layer");
    check(packed.source_version() == weight.storage()->version(),
          "linear: this weight is not the one that was packed, or has changed since (version ",
          packed.source_version(), ", now ", weight.storage()->version(), "); pack it again");
  }

  // x (…, K) → (…, N); M is the number of rows.
  static Tensor forward(Saved* saved, const Tensor& x_, const Tensor& weight_, const Tensor& bias_,
                        Activation f, const PackedMatrix* packed) {
    expect_rank(name, "the weight", weight_, 2);
    const int64_t M = rows_of(name, x_), N = weight_.dim(0), K = weight_.dim(1);
    check(x_.dim(-1) == K, "linear: x should be (…, ", K, ") for a weight ", weight_.shape(),
          ", got ", x_.shape());
    expect(name, "the weight", weight_, x_.dtype(), Shape{N, K});
    if (bias_) expect(name, "the bias", bias_, x_.dtype(), Shape{N});
    const Tensor x = contiguous(x_), weight = contiguous(weight_);
    const Tensor bias = bias_ ? contiguous(bias_) : bias_;
    Shape shape = x.shape();
    shape[-1] = N;
    Tensor y(shape, x.dtype()), z;
    if (saved && f != Activation::none) z = empty_like(y);
    on(name, x, [&](auto, auto t) {
      using T = decltype(t);
      const Epilogue<T> epilogue{.bias = bias ? bias.data<T>() : nullptr,
                                 .before = z ? z.data<T>() : nullptr,
                                 .ld_before = N,
                                 .activation = f};
      if constexpr (std::is_same_v<T, float>) {
        if (packed && !saved) {
          check_packed(*packed, weight_, N, K);
          return gemm(false, M, x.data<T>(), K, *packed, y.data<T>(), N, epilogue);
        }
      }
      gemm(false, true, M, N, K, x.data<T>(), K, weight.data<T>(), K, y.data<T>(), N, epilogue);
    });
    if (saved) *saved = {x, weight, z, f};
    return y;
  }

  static Grads backward(const Saved& s, const Tensor& dy_, Wanted wanted) {
    const Tensor dy = contiguous(dy_);
    const int64_t M = rows_of(name, dy), N = s.weight.dim(0), K = s.weight.dim(1);
    Tensor dz = s.z ? empty_like(dy) : dy, dx, dweight, dbias;
    if (wanted[0]) dx = empty_like(s.x);
    if (wanted[1]) dweight = empty_like(s.weight);
    if (wanted[2]) dbias = Tensor({N}, dy.dtype());
    on(name, dy, [&](auto device, auto t) {
      using T = decltype(t);
      if (s.z)
        activation_backward(device, s.f, s.z.data<T>(), dy.data<T>(), dz.data<T>(), dy.size());
      const T* g = std::as_const(dz).template data<T>();
      if (dx) gemm(false, false, M, K, N, g, N, s.weight.data<T>(), K, dx.data<T>(), K);
      if (dweight) gemm(true, false, N, K, M, g, N, s.x.data<T>(), K, dweight.data<T>(), K);
      if (dbias) column_sums(g, M, N, dbias.data<T>());
    });
    return {dx, dweight, dbias};
  }

  static Tensor reference(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation f,
                          const PackedMatrix*) {
    Tensor z = x.rank() == 1 ? reshape(matmul(reshape(x, {1, -1}), weight, false, true), {-1})
                             : matmul(x, weight, false, true);
    if (bias) z = add(z, bias);
    return activate(z, f);
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape x, int64_t N, Activation f) {
      const int64_t K = x[-1], M = K ? x.size() / K : 0;
      const auto flops = static_cast<double>(2 * M * K * N);
      const auto moved =
          static_cast<double>(2 * (M * K + N * K + M * N));  // x, W and z; dx, dW, dy
      Sample s{.label = label,
               .in = {randn(x, 1), rand_uniform({N, K}, 2, -1, 1), randn({N}, 3)},
               .call = [f](auto in) { return linear(in[0], in[1], in[2], f); },
               .forward = {.flops = flops},
               .backward = {2 * flops, moved}};
      if (x.rank() > 1) s.by_row = {0};
      all.push_back(std::move(s));
    };
    sample("3x4 to 5", {3, 4}, 5, Activation::none);
    sample("rank 1", {4}, 3, Activation::gelu);
    sample("rank 3, relu", {2, 3, 5}, 7, Activation::relu);
    sample("rank 4, gelu", {2, 1, 3, 2}, 3, Activation::gelu);
    sample("gelu_tanh", {3, 2}, 4, Activation::gelu_tanh);
    sample("tanh", {3, 2}, 4, Activation::tanh);
    sample("sigmoid", {3, 2}, 4, Activation::sigmoid);
    sample("no rows", {0, 3}, 2, Activation::gelu);
    sample("no inputs", {2, 0}, 3, Activation::tanh);
    sample("no outputs", {2, 3}, 0, Activation::none);
    sample("1x1 to 1", {1, 1}, 1, Activation::gelu);
    sample("33x17 to 49", {33, 17}, 49, Activation::gelu);
    all.push_back({"no bias", {randn({4, 3}, 1), randn({2, 3}, 2)}, [](auto in) {
                     return linear(in[0], in[1], Tensor(), Activation::gelu);
                   }});
    sample("512x768 to 3072, gelu", {512, 768}, 3072, Activation::gelu);
    all.back().bench = true;
    sample("512x768 to 768", {512, 768}, 768, Activation::none);
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<Linear>()};

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, Activation f,
              const PackedMatrix* packed) {
  return apply<Linear>(x, weight, bias, f, packed);
}

}  // namespace ink
