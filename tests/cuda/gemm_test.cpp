// Products on the CUDA device against sums in f64 of the same numbers: types, transposes, distances
// of rows, batches, bias, row sums, accumulation, empty extents; what is kept and what is refused.
#include "cuda/gemm.h"

#include <vector>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/cuda/device.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

class CudaGemm : public testing::Test {
 protected:
  void SetUp() override { SKIP_WITHOUT_DEVICE(); }
  void TearDown() override {
    cuda::allow_tf32(false);
    cuda::tune_products(false);
  }
};

// One product with everything that can be said about it.
struct Case {
  int64_t M, N, K;
  bool transposed_a = false, transposed_b = false;
  Dtype factors = Dtype::f32, result = Dtype::f32;
  int64_t batch = 1, padding = 0;  // elements between rows that belong to nobody
  bool bias = false, row_sums = false, shared_b = false;
  float alpha = 1, beta = 0;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << c.M << 'x' << c.N << 'x' << c.K << (c.transposed_a ? " Aᵗ" : "")
             << (c.transposed_b ? " Bᵗ" : "") << ' ' << name_of(c.factors) << " → "
             << name_of(c.result) << ", batch " << c.batch << ", padding " << c.padding
             << (c.bias ? ", bias" : "") << (c.row_sums ? ", row sums" : "")
             << (c.shared_b ? ", shared B" : "") << ", beta " << c.beta;
}

// f64 numbers that a storage type holds, and the same on the device.
struct Numbers {
  std::vector<double> host;
  Tensor device;
};
Numbers numbers(int64_t count, uint64_t seed, Dtype type) {
  const Tensor rounded = converted(converted(randn({count}, seed), Dtype::f32), type);
  return {to_vector<double>(converted(converted(rounded, Dtype::f32), Dtype::f64)),
          to(rounded, Device::cuda)};
}

cuda::Factor factor(const Tensor& x, int64_t ld, bool transposed, int64_t stride) {
  switch (x.dtype()) {
    case Dtype::f16: return {x.data<Float16>(), ld, transposed, stride};
    case Dtype::bf16: return {x.data<Bfloat16>(), ld, transposed, stride};
    default: return {x.data<float>(), ld, transposed, stride};
  }
}
cuda::Result result(Tensor& x, int64_t ld, int64_t stride) {
  switch (x.dtype()) {
    case Dtype::f16: return {x.data<Float16>(), ld, stride};
    case Dtype::bf16: return {x.data<Bfloat16>(), ld, stride};
    default: return {x.data<float>(), ld, stride};
  }
}
void* address(Tensor& x) { return result(x, 1, 0).data; }

// A result in f64 and Σ|terms|, which says how far its rounding may carry it.
struct Sum {
  double value = 0, magnitude = 0;
  void add(double term) { value += term, magnitude += std::abs(term); }
};

void expect_sum(double got, const Sum& sum, int64_t terms, Dtype type, const Case& c,
                const std::string& where) {
  const double rounding = static_cast<double>(terms + 4) * 0x1p-24 * sum.magnitude;
  const double stored = type == Dtype::f32 ? 0 : unit(type) * std::abs(sum.value) + 0x1p-24;
  // A product that is added to 16-bit numbers is rounded before as well.
  const double added = type == Dtype::f32 || c.beta == 0 ? 0 : unit(type) / 4 * sum.magnitude;
  EXPECT_LE(std::abs(got - sum.value), rounding + stored + added) << c << ": " << where;
}

std::vector<double> host_numbers(const Tensor& x) {
  return to_vector<double>(converted(converted(to(x, Device::cpu), Dtype::f32), Dtype::f64));
}

void expect_product(const Case& c) {
  const auto at = [](int64_t i) { return static_cast<size_t>(i); };
  const int64_t lda = (c.transposed_a ? c.M : c.K) + c.padding, ldc = c.N + c.padding;
  const int64_t ldb = (c.transposed_b ? c.K : c.N) + c.padding;
  const int64_t size_a = (c.transposed_a ? c.K : c.M) * lda;
  const int64_t size_b = (c.transposed_b ? c.N : c.K) * ldb, size_c = c.M * ldc;
  const Numbers a = numbers(c.batch * size_a, 1, c.factors);
  const Numbers b = numbers((c.shared_b ? 1 : c.batch) * size_b, 2, c.factors);
  Numbers y = numbers(c.batch * size_c, 3, c.result), bias = numbers(c.N, 4, c.result);
  Tensor sums({c.M}, c.result, Device::cuda);
  cuda::gemm(c.M, c.N, c.K, factor(a.device, lda, c.transposed_a, size_a),
             factor(b.device, ldb, c.transposed_b, c.shared_b ? 0 : size_b),
             result(y.device, ldc, size_c),
             {.alpha = c.alpha,
              .beta = c.beta,
              .bias = c.bias ? address(bias.device) : nullptr,
              .row_sums = c.row_sums ? address(sums) : nullptr,
              .batch = c.batch});
  const std::vector<double> got = host_numbers(y.device), got_sums = host_numbers(sums);
  for (int64_t g = 0; g < c.batch; ++g) {
    const double *A = a.host.data() + g * size_a,
                 *B = b.host.data() + (c.shared_b ? 0 : g * size_b);
    for (int64_t m = 0; m < c.M; ++m) {
      const auto factor_a = [&](int64_t k) {
        return c.transposed_a ? A[k * lda + m] : A[m * lda + k];
      };
      for (int64_t n = 0; n < ldc; ++n) {
        const size_t i = at(g * size_c + m * ldc + n);
        if (n >= c.N) {
          EXPECT_EQ(got[i], y.host[i]) << c << ": between rows " << m << " and " << m + 1;
          continue;
        }
        Sum sum;
        if (c.beta != 0) sum.add(c.beta * y.host[i]);
        if (c.bias) sum.add(bias.host[at(n)]);
        for (int64_t k = 0; k < c.K; ++k)
          sum.add(c.alpha * factor_a(k) * (c.transposed_b ? B[n * ldb + k] : B[k * ldb + n]));
        expect_sum(got[i], sum, c.K, c.result, c,
                   "element (" + std::to_string(m) + ", " + std::to_string(n) + ')');
      }
      if (!c.row_sums) continue;
      Sum sum;
      for (int64_t k = 0; k < c.K; ++k) sum.add(factor_a(k));
      expect_sum(got_sums[at(m)], sum, c.K, c.result, c, "sum of row " + std::to_string(m));
    }
  }
}

struct Types {
  Dtype factors, result;
};
constexpr Types kTypes[] = {{Dtype::f32, Dtype::f32},
                            {Dtype::f16, Dtype::f16},
                            {Dtype::bf16, Dtype::bf16},
                            {Dtype::f16, Dtype::f32},
                            {Dtype::bf16, Dtype::f32}};

// Calls f(case) for all types and transposes.
template <class F>
void for_each_kind(int64_t M, int64_t N, int64_t K, const F& f) {
  for (const Types t : kTypes) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        f(Case{.M = M,
               .N = N,
               .K = K,
               .transposed_a = ta,
               .transposed_b = tb,
               .factors = t.factors,
               .result = t.result});
      }
    }
  }
}

TEST_F(CudaGemm, MultipliesInEveryTypeAndLayout) {
  for_each_kind(7, 5, 11, expect_product);
  for_each_kind(1, 1, 1, expect_product);
  for_each_kind(64, 48, 32, expect_product);
  for_each_kind(33, 1, 17, expect_product);
  for_each_kind(1, 40, 129, expect_product);
}

TEST_F(CudaGemm, LeavesAloneWhatLiesBetweenRows) {
  for_each_kind(6, 9, 10, [](Case c) {
    for (const int64_t padding : {1, 3, 8}) {
      c.padding = padding;
      expect_product(c);
    }
  });
}

TEST_F(CudaGemm, AddsABias) {
  for_each_kind(9, 24, 16, [](Case c) {
    c.bias = true;
    expect_product(c);
    c.N = 13;
    expect_product(c);
  });
}

TEST_F(CudaGemm, SumsTheRowsOfA) {
  for_each_kind(24, 16, 40, [](Case c) {
    c.transposed_a = c.row_sums = true;
    expect_product(c);
    c.M = 5, c.padding = 1;
    expect_product(c);
  });
}

TEST_F(CudaGemm, ScalesAndAddsToWhatIsThere) {
  for_each_kind(8, 12, 20, [](Case c) {
    c.alpha = 0.5f, c.beta = 1;
    expect_product(c);
    c.beta = -0.25f, c.padding = 2;
    expect_product(c);
  });
}

TEST_F(CudaGemm, MultipliesBatches) {
  for_each_kind(8, 16, 24, [](Case c) {
    c.batch = 3;
    expect_product(c);
    c.shared_b = true, c.beta = 1;
    expect_product(c);
    c.padding = 5;
    expect_product(c);
  });
}

TEST_F(CudaGemm, TakesEmptyExtents) {
  for_each_kind(4, 6, 0, [](Case c) {
    expect_product(c);
    c.bias = true, c.padding = 1;
    expect_product(c);
    c.beta = 0.5f;
    expect_product(c);
    c.bias = false, c.transposed_a = c.row_sums = true;
    expect_product(c);
  });
  expect_product({.M = 0, .N = 3, .K = 2, .bias = true});
  expect_product({.M = 3, .N = 0, .K = 2, .transposed_a = true, .row_sums = true});
  expect_product({.M = 3, .N = 2, .K = 2, .batch = 0});
}

TEST_F(CudaGemm, StartsAtAnyElement) {
  for (const Types t : kTypes) {
    const Numbers a = numbers(1 + 6 * 8, 1, t.factors), b = numbers(1 + 8 * 8, 2, t.factors);
    Tensor apart = zeros({1 + 6 * 8}, t.result, Device::cuda),
           plain = zeros({6, 8}, t.result, Device::cuda);
    const auto from_second = [](const Tensor& x) { return view(x, {x.size() - 1}, {1}, 1); };
    Tensor inside = from_second(apart);
    cuda::gemm(6, 8, 8, factor(from_second(a.device), 8, false, 0),
               factor(from_second(b.device), 8, false, 0), result(inside, 8, 0));
    const Tensor a2 = contiguous(clone(from_second(a.device))), b2 = clone(from_second(b.device));
    cuda::gemm(6, 8, 8, factor(a2, 8, false, 0), factor(b2, 8, false, 0), result(plain, 8, 0));
    EXPECT_LE(units_apart(inside, plain, t.result, 1e-6), 1) << name_of(t.factors);
    EXPECT_EQ(host_numbers(apart)[0], 0);
  }
}

TEST_F(CudaGemm, GivesTheSameBitsTwiceAndMakesNothingTheSecondTime) {
  const Numbers a = numbers(64 * 96, 1, Dtype::bf16), b = numbers(96 * 80, 2, Dtype::bf16);
  Tensor first({64, 80}, Dtype::bf16, Device::cuda), second = empty_like(first);
  const auto multiply = [&](Tensor& y) {
    cuda::gemm(64, 80, 96, factor(a.device, 96, false, 0), factor(b.device, 80, false, 0),
               result(y, 80, 0));
  };
  multiply(first);
  const int64_t plans = cuda::gemm_plans();
  multiply(second);
  EXPECT_EQ(cuda::gemm_plans(), plans);
  EXPECT_TRUE(equal_bits(to(first, Device::cpu), to(second, Device::cpu)));
}

TEST_F(CudaGemm, TunedProductsAreTheSameUpToRounding) {
  cuda::tune_products(true);
  for_each_kind(64, 72, 80, [](Case c) {
    expect_product(c);
    c.bias = true, c.beta = 1;
    expect_product(c);
  });
}

TEST_F(CudaGemm, CutsFactorsToTf32OnlyWhereAllowed) {
  constexpr int64_t kSize = 256;
  const Numbers a = numbers(kSize * kSize, 1, Dtype::f32),
                b = numbers(kSize * kSize, 2, Dtype::f32);
  const auto product = [&] {
    Tensor y({kSize, kSize}, Dtype::f32, Device::cuda);
    cuda::gemm(kSize, kSize, kSize, factor(a.device, kSize, false, 0),
               factor(b.device, kSize, false, 0), result(y, kSize, 0));
    return y;
  };
  const auto matrix = [](const Numbers& x) {
    return view(to(x.device, Device::cpu), {kSize, kSize}, {kSize, 1}, 0);
  };
  const Tensor expected = matmul(matrix(a), matrix(b));
  EXPECT_LE(normalized_error(product(), expected), 1e-11);
  cuda::allow_tf32(true);
  EXPECT_TRUE(cuda::tf32_allowed());
  EXPECT_LE(normalized_error(product(), expected), 1e-5);
}

TEST_F(CudaGemm, NamesTheShapesOfWhatItRefuses) {
  const Tensor x({64}, Dtype::f32, Device::cuda), half({64}, Dtype::bf16, Device::cuda);
  Tensor y({64}, Dtype::f32, Device::cuda), narrow({64}, Dtype::f16, Device::cuda);
  const auto of = [](const Tensor& t, int64_t ld) { return factor(t, ld, false, 0); };
  EXPECT_ERROR(cuda::gemm(2, 3, 4, of(x, 4), of(half, 3), result(y, 3, 0)),
               "cuda: the product (2, 4) × (4, 3) in f32");
  EXPECT_ERROR(cuda::gemm(2, 3, 4, of(half, 4), of(half, 3), result(narrow, 3, 0)),
               "its result in f16");
  EXPECT_ERROR(cuda::gemm(2, 3, 4, of(x, 3), of(x, 3), result(y, 3, 0)), "rows that overlap");
  EXPECT_ERROR(cuda::gemm(2, 3, 4, of(x, 4), of(x, 3), result(y, 3, 0), {.row_sums = address(y)}),
               "A should be transposed");
}

}  // namespace
}  // namespace ink
