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

#if INK_CUDA
#include "cuda/column_sums.cuh"
#include "cuda/gemm.h"
#include "cuda/rough_gelu.cuh"
#endif

namespace ink {
namespace {

// (z, dy) → dy·f'(z)
template <class F>
struct ChainRule {
  static constexpr const char* name = "linear_activation_backward";
  template <class T>
  INK_BOTH T operator()(T z, T dy) const {
    return dy * F::derivative(z);
  }
};

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// Shapes as below. bias, z and packed may be null; packed is the weight.
template <class T>
void linear_forward(Cpu, const T* x, const T* weight, const T* bias, T* z, T* y, int64_t M,
                    int64_t N, int64_t K, Activation f, const PackedMatrix* packed) {
  const Epilogue<T> epilogue{.bias = bias, .before = z, .ld_before = N, .activation = f};
  if constexpr (std::is_same_v<T, float>) {
    if (packed) return gemm(false, M, x, K, *packed, y, N, epilogue);
  }
  gemm(false, true, M, N, K, x, K, weight, K, y, N, epilogue);
}

// z is null where there is no activation, and dz is dy then. dx, dweight and dbias may be null.
template <class T>
void linear_backward(Cpu device, Activation f, const T* z, const T* dy, const T* x, const T* weight,
                     T* dz, T* dx, T* dweight, T* dbias, int64_t M, int64_t N, int64_t K) {
  if (z) {
    vmath::with(f, [&](auto activation) {
      map(device, ChainRule<decltype(activation)>{}, M * N, dz, z, dy);
    });
  }
  const T* g = z ? dz : dy;
  if (dx) gemm(false, false, M, K, N, g, N, weight, K, dx, K);
  if (dweight) gemm(true, false, N, K, M, g, N, x, K, dweight, K);
  if (dbias) column_sums(g, M, N, dbias);
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────
// The product adds the bias; the activation follows in a kernel of its own, for cuBLASLt has none
// that is exact. A packed weight is of no use here.

template <class F>
struct Activated {
  static constexpr const char* name = "linear_activation";
  INK_BOTH float operator()(float z) const { return F{}(z); }
};

template <class T>
void linear_forward(Cuda device, const T* x, const T* weight, const T* bias, T* z, T* y, int64_t M,
                    int64_t N, int64_t K, Activation f, const PackedMatrix*) {
  T* product = z ? z : y;
  cuda::gemm(M, N, K, {x, K}, {weight, K, true}, {product, N}, {.bias = bias});
  if (f == Activation::none) return;
  vmath::with(f, [&](auto activation) {
    map(device, Activated<cuda::ActivationOf<T, decltype(activation)>>{}, M * N, y,
        static_cast<const T*>(product));
  });
}

// Rows of dz for column_sums_of, which are written on the way.
template <class T, class F>
struct GradientRows {
  static constexpr int P = cuda::kPack<T>, kInFlight = 2;
  struct Loaded {
    cuda::PackedWords<T> z, dy;
  };
  const T *z, *dy;
  T* dz;
  int64_t N;
  bool packed;

  INK_DEVICE Loaded load(int64_t m, int64_t n) const {
    return {cuda::PackedWords<T>(cuda::load_row_pack<P>(z + m * N, n, N, packed)),
            cuda::PackedWords<T>(cuda::load_row_pack<P>(dy + m * N, n, N, packed))};
  }
  INK_DEVICE void add(const Loaded& v, int64_t m, int64_t n, float (&sum)[P]) const {
    float g[P];
#pragma unroll
    for (int j = 0; j < P; ++j) sum[j] += g[j] = v.dy[j] * F::derivative(v.z[j]);
    cuda::store_floats(dz + m * N, g, n, N, packed);
  }
};

template <class T>
void linear_backward(Cuda device, Activation f, const T* z, const T* dy, const T* x,
                     const T* weight, T* dz, T* dx, T* dweight, T* dbias, int64_t M, int64_t N,
                     int64_t K) {
  if (z) {
    vmath::with(f, [&](auto activation) {
      using F = cuda::ActivationOf<T, decltype(activation)>;
      if (!dbias) return map(device, ChainRule<F>{}, M * N, dz, z, dy);
      const bool packed = cuda::packs<T>(N, z) && cuda::packs<T>(N, dy) && cuda::packs<T>(N, dz);
      cuda::column_sums_of(GradientRows<T, F>{z, dy, dz, N, packed}, dbias, M, N);
    });
  }
  const T* g = z ? dz : dy;
  if (dx) cuda::gemm(M, K, N, {g, N}, {weight, K}, {dx, K});
  T* row_sums = z ? nullptr : dbias;
  if (dweight) {
    cuda::gemm(N, K, M, {g, N, true}, {x, K}, {dweight, K}, {.row_sums = row_sums});
  } else if (row_sums) {
    cuda::column_sums(g, row_sums, M, N);
  }
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct Linear {
  static constexpr const char* name = "linear";
  struct Saved {
    Tensor x, weight, z;  // x only where the weight's gradient is wanted, z with an activation
    Shape shape;          // of x
    Activation f;
    Wanted wanted;
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
    expect_one_device(name, x_, weight_, bias_);
    const Tensor x = contiguous(x_), weight = contiguous(weight_);
    const Tensor bias = bias_ ? contiguous(bias_) : bias_;
    Shape shape = x.shape();
    shape[-1] = N;
    Tensor y(shape, x.dtype(), x.device()), z;
    if (saved && f != Activation::none) z = empty_like(y);
    if (saved || x.dtype() != Dtype::f32 || x.device() != Device::cpu) packed = nullptr;
    if (packed) check_packed(*packed, weight_, N, K);
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      linear_forward(device, x.data<T>(), weight.data<T>(), bias ? bias.data<T>() : nullptr,
                     z ? z.data<T>() : nullptr, y.data<T>(), M, N, K, f, packed);
    });
    if (saved) *saved = {saved->wanted[1] ? x : Tensor(), weight, z, x.shape(), f, saved->wanted};
    return y;
  }

  static Grads backward(const Saved& s, const Tensor& dy_, Wanted wanted) {
    const Tensor dy = contiguous(dy_);
    const int64_t M = rows_of(name, dy), N = s.weight.dim(0), K = s.weight.dim(1);
    Tensor dz, dx, dweight, dbias;
    if (s.z) dz = empty_like(dy);
    if (wanted[0]) dx = Tensor(s.shape, dy.dtype(), dy.device());
    if (wanted[1]) dweight = empty_like(s.weight);
    if (wanted[2]) dbias = Tensor({N}, dy.dtype(), dy.device());
    on(name, dy, [&](auto device, auto t) {
      using T = decltype(t);
      const auto or_null = [](Tensor& g) { return g ? g.data<T>() : nullptr; };
      linear_backward(device, s.f, s.z ? s.z.data<T>() : nullptr, dy.data<T>(),
                      s.x ? s.x.data<T>() : nullptr, s.weight.data<T>(), or_null(dz), or_null(dx),
                      or_null(dweight), or_null(dbias), M, N, K);
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
