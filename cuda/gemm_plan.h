// The plans of products: for each kind of product cuBLASLt's descriptors and the algorithm chosen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace ink::cuda {

// What a plan depends on. Alignments are those of the addresses, in bytes, up to 256.
struct PlanKey {
  int64_t M, N, K, batch;
  int64_t lda, ldb, ldc, stride_a, stride_b, stride_c;
  Dtype factors, result;
  bool transposed_a, transposed_b;
  bool bias, row_sums;  // at most one of the two
  bool tf32, tuned;
  uint16_t align_a, align_b, align_c, align_vector;
  bool operator==(const PlanKey&) const = default;
};

// "(96, 768) × (768, 3072) in bf16"
std::string description(const PlanKey& key);

// What changes from one product of a kind to the next.
struct Operands {
  const void *a, *b;
  void *c, *vector;  // vector: bias or row sums, or null
  float alpha, beta;
};

// Runs a product by the plan kept for its kind, which is made when there is none. False: cuBLASLt
// has no algorithm for it.
bool run_product(const PlanKey& key, const Operands& operands);

int64_t plans_made();

}  // namespace ink::cuda
