// Products: arguments to a plan's key, and kernels for what cuBLASLt leaves out (empty sums, an
// epilogue for which it has no algorithm).
#include "cuda/gemm.h"

#include <algorithm>
#include <atomic>

#include "cuda/column_sums.cuh"
#include "cuda/gemm_plan.h"

namespace ink::cuda {
namespace {

std::atomic<bool> tf32 = false, tuned = false;

uint16_t alignment(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  return static_cast<uint16_t>(std::min<uintptr_t>(address & (~address + 1), 256));
}

// A batch of one matrix, or of one vector, has no distance to the next.
PlanKey key_of(int64_t M, int64_t N, int64_t K, const Factor& a, const Factor& b, const Result& c,
               const GemmOptions& options) {
  const bool many = options.batch > 1;
  const void* vector = options.bias ? options.bias : options.row_sums;
  return {.M = M,
          .N = N,
          .K = K,
          .batch = options.batch,
          .lda = a.ld,
          .ldb = b.ld,
          .ldc = c.ld,
          .stride_a = many ? a.stride : 0,
          .stride_b = many ? b.stride : 0,
          .stride_c = many ? c.stride : 0,
          .factors = a.dtype,
          .result = c.dtype,
          .transposed_a = a.transposed,
          .transposed_b = b.transposed,
          .bias = options.bias != nullptr,
          .row_sums = options.row_sums != nullptr,
          .tf32 = tf32 && a.dtype == Dtype::f32,
          .tuned = tuned,
          .align_a = alignment(a.data),
          .align_b = alignment(b.data),
          .align_c = alignment(c.data),
          .align_vector = vector ? alignment(vector) : uint16_t{0}};
}

void check_product(const PlanKey& key, const Factor& b, const GemmOptions& options) {
  const auto text = [&] { return description(key); };
  check(key.M >= 0 && key.N >= 0 && key.K >= 0 && key.batch >= 0,
        "cuda: a product of negative extents, ", text());
  const bool integers = key.factors == Dtype::i8;
  const bool fits =
      integers ? key.result == Dtype::i32 : key.result == key.factors || key.result == Dtype::f32;
  check(b.dtype == key.factors && fits, "cuda: the product ", text(), " has another factor in ",
        name_of(b.dtype), " and its result in ", name_of(key.result));
  const int64_t wide_a = key.transposed_a ? key.M : key.K,
                wide_b = key.transposed_b ? key.K : key.N;
  check(key.lda >= wide_a && key.ldb >= wide_b && key.ldc >= key.N, "cuda: the product ", text(),
        " has rows that overlap: they follow one another at ", key.lda, ", ", key.ldb, " and ",
        key.ldc, " elements");
  check(!(options.bias && options.row_sums) && (key.batch == 1 || !(key.bias || key.row_sums)),
        "cuda: the product ", text(), " has a bias, row sums or a batch together");
  check(!integers || (!options.bias && !options.row_sums && options.alpha == 1 && !options.beta),
        "cuda: the product ", text(), " of integers has a bias, row sums, alpha or beta");
  check(!options.row_sums || key.transposed_a, "cuda: the product ", text(),
        " has row sums, for which A should be transposed");
}

template <class F>
void with_type(Dtype t, const F& f) {
  switch (t) {
    case Dtype::f32: return f(float{});
    case Dtype::f16: return f(Float16{});
    case Dtype::bf16: return f(Bfloat16{});
    default: fail("cuda: expected a product of f32, f16 or bf16 here, got ", name_of(t));
  }
}

// C = beta·C + bias, for every matrix of a batch; bias may be null.
template <class T>
__global__ void scale_and_add_kernel(T* c, int64_t ld, int64_t stride, const T* bias, float beta,
                                     int64_t M, int64_t N, int64_t n) {
  for (int64_t i = global_thread(); i < n; i += all_threads()) {
    T& x = c[i / (M * N) * stride + i / N % M * ld + i % N];
    const float kept = beta == 0 ? 0.0f : beta * widen(x);
    x = narrow<T>(bias ? kept + widen(bias[i % N]) : kept);
  }
}

void scale_and_add(const PlanKey& key, const Result& c, const void* bias, float beta) {
  if (beta == 1 && !bias) return;
  const int64_t n = key.batch * key.M * key.N;
  with_type(c.dtype, [&](auto t) {
    using T = decltype(t);
    launch("gemm_scale_and_add", scale_and_add_kernel<T>,
           {std::min<int64_t>((n + 255) / 256, 4096)}, static_cast<T*>(c.data), c.ld, c.stride,
           static_cast<const T*>(bias), beta, key.M, key.N, n);
  });
}

// A lies there as (K, M): its columns are the rows of op(A).
void sum_rows(const PlanKey& key, const Factor& a, void* sums) {
  with_type(a.dtype, [&](auto t) {
    with_type(key.result, [&](auto y) {
      column_sums(static_cast<const decltype(t)*>(a.data), static_cast<decltype(y)*>(sums), key.K,
                  key.M, {}, key.lda);
    });
  });
}

}  // namespace

void gemm(int64_t M, int64_t N, int64_t K, const Factor& a, const Factor& b, const Result& c,
          const GemmOptions& options) {
  PlanKey key = key_of(M, N, K, a, b, c, options);
  check_product(key, b, options);
  if (M == 0 || key.batch == 0) return;
  if (N == 0 || K == 0) {
    scale_and_add(key, c, options.bias, options.beta);
    if (options.row_sums) sum_rows(key, a, options.row_sums);
    return;
  }
  void* vector = options.bias ? const_cast<void*>(options.bias) : options.row_sums;
  Operands operands{a.data, b.data, c.data, vector, options.alpha, options.beta};
  if (run_product(key, operands)) return;
  key.bias = key.row_sums = false, key.align_vector = 0, operands.vector = nullptr;
  check(vector && run_product(key, operands), "cuda: cuBLASLt has no algorithm for the product ",
        description(key));
  if (options.bias) scale_and_add(key, c, options.bias, 1);
  if (options.row_sums) sum_rows(key, a, options.row_sums);
}

void allow_tf32(bool allowed) { tf32 = allowed; }
bool tf32_allowed() { return tf32; }
void tune_products(bool are_tuned) { tuned = are_tuned; }
int64_t gemm_plans() { return plans_made(); }

}  // namespace ink::cuda
