// Products of a BERT-base encoder and of its training step: GFLOP/s, share of the machine's limit,
// times OpenBLAS.
//
// Forward products find their weights in memory, not in the cache, as a model does: few rows rotate
// through many weights. Own and OpenBLAS (one call a thread, columns split) take turns, and the
// best of both is printed.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include "bench/machine_limit.h"
#include "tensor/gemm.h"
#include "tensor/philox.h"

namespace ink::bench {
namespace {

struct Case {
  const char* label;
  int64_t m, n, k;
  bool transpose_a, transpose_b;
  bool packed = false;  // weights laid out beforehand
  Activation activation = Activation::none;
};

std::vector<float> numbers(int64_t count, uint64_t seed) {
  std::vector<float> x(static_cast<size_t>(count));
  const Random random(seed);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(random.uniform(i)) - 0.5f;
  return x;
}

// OpenBLAS on all threads: each takes some of the columns.
void openblas_on_all(const Case& c, const float* a, int64_t lda, const float* b, int64_t ldb,
                     float* out) {
  parallel_for(c.n, (c.n + threads() - 1) / threads(), [&](int64_t begin, int64_t end) {
    openblas_gemm(c.transpose_a, c.transpose_b, c.m, end - begin, c.k, a, lda,
                  b + (c.transpose_b ? begin * ldb : begin), ldb, out + begin, c.n);
  });
}

void measure(const Case& c, double limit) {
  const double flops =
      2.0 * static_cast<double>(c.m) * static_cast<double>(c.n) * static_cast<double>(c.k);
  const int64_t lda = c.transpose_a ? c.m : c.k, ldb = c.transpose_b ? c.k : c.n;
  const int64_t matrices =
      c.m <= 64 ? std::clamp<int64_t>((int64_t{64} << 20) / (c.n * c.k * 4), 1, 64) : 1;
  const std::vector<float> a = numbers(c.m * c.k, 1), bias = numbers(c.n, 2);
  std::vector<float> out(static_cast<size_t>(c.m * c.n));
  std::vector<std::vector<float>> b;
  std::vector<std::unique_ptr<PackedMatrix>> packed;
  for (int64_t i = 0; i < matrices; ++i) {
    b.push_back(numbers(c.n * c.k, static_cast<uint64_t>(3 + i)));
    if (c.packed)
      packed.push_back(
          std::make_unique<PackedMatrix>(b.back().data(), ldb, c.transpose_b, c.n, c.k));
  }
  Epilogue<float> epilogue{.activation = c.activation};
  if (c.activation != Activation::none) epilogue.bias = bias.data();

  const int calls = static_cast<int>(std::clamp(2e7 / flops, 1.0, 1000.0));
  double own = 1e30, openblas = 1e30;
  size_t next = 0;
  for (int round = 0; round < 7; ++round) {
    own = std::min(own, best_seconds(1, [&] {
                          for (int i = 0; i < calls; ++i) {
                            const size_t w = next++ % b.size();
                            if (c.packed) {
                              gemm(c.transpose_a, c.m, a.data(), lda, *packed[w], out.data(), c.n,
                                   epilogue);
                            } else {
                              gemm(c.transpose_a, c.transpose_b, c.m, c.n, c.k, a.data(), lda,
                                   b[w].data(), ldb, out.data(), c.n, epilogue);
                            }
                          }
                        }) / calls);
    openblas = std::min(openblas, best_seconds(1, [&] {
                                    for (int i = 0; i < calls; ++i)
                                      openblas_on_all(c, a.data(), lda, b[next++ % b.size()].data(),
                                                      ldb, out.data());
                                  }) / calls);
  }
  std::printf("%-18s %6ld × %6ld × %5ld  %7.1f GFLOP/s  %3.0f %% of the limit  %5.2f × OpenBLAS\n",
              c.label, static_cast<long>(c.m), static_cast<long>(c.n), static_cast<long>(c.k),
              flops / own / 1e9, 100 * flops / own / 1e9 / limit, openblas / own);
}

void run() {
  const double limit = fma_limit();
  std::printf("%d threads, %s: %.0f GFLOP/s;  read: %.0f GB/s of 256 KiB, %.0f GB/s of 256 MiB\n\n",
              threads(), simd::name_of(simd::level()), limit, read_limit(256 << 10),
              read_limit(256 << 20));
  const std::pair<int64_t, int64_t> weights[] = {{768, 768}, {2304, 768}, {3072, 768}, {768, 3072}};
  for (int64_t rows : {1, 8, 16, 32, 128, 1024}) {
    for (const auto& [n, k] : weights)
      measure({"packed weights", rows, n, k, false, true, true}, limit);
  }
  for (int64_t rows : {128, 1024}) {
    measure({"packed, GELU", rows, 3072, 768, false, true, true, Activation::gelu}, limit);
  }
  for (int64_t rows : {8, 128, 1024}) {
    for (const auto& [n, k] : weights) {
      measure({"forward, x Wᵀ", rows, n, k, false, true}, limit);
      measure({"dx = dy W", rows, k, n, false, false}, limit);
      measure({"dW = dyᵀ x", n, k, rows, true, false}, limit);
    }
  }
  measure({"masked-LM head", 160, 21128, 768, false, true}, limit);
  measure({"its dW", 21128, 768, 160, true, false}, limit);
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1, 768},
                             {2, 768},
                             {3, 768},
                             {4, 768},
                             {7, 768},
                             {312, 312},
                             {26, 26}}) {
    measure({"odd sizes", 512, n, k, false, true}, limit);
  }
}

}  // namespace
}  // namespace ink::bench

int main() { ink::bench::run(); }
