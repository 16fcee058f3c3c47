// Plans of products. cuBLASLt counts by columns: our row-major C = op(A)·op(B) is to it
// Cᵗ = op(B)ᵗ·op(A)ᵗ, whose first factor is our B, as it lies in memory.
#include "cuda/gemm_plan.h"

#include <cublasLt.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "cuda/allocator.h"
#include "cuda/event.h"
#include "cuda/kernel_times.h"
#include "cuda/launch.h"
#include "cuda/stream.h"

namespace ink::cuda {
namespace {

constexpr size_t kWorkspace = size_t{32} << 20;  // bytes

template <auto destroy>
struct Destroy {
  template <class T>
  void operator()(T* made) const {
    destroy(made);
  }
};
template <class Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;
using Description = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

cudaDataType_t type_of(Dtype t) {
  switch (t) {
    case Dtype::f32: return CUDA_R_32F;
    case Dtype::f16: return CUDA_R_16F;
    case Dtype::bf16: return CUDA_R_16BF;
    case Dtype::i8: return CUDA_R_8I;
    case Dtype::i32: return CUDA_R_32I;
    default: fail("cuda: products are of f32, f16, bf16 or i8, got ", name_of(t));
  }
}

void expect_made(cublasStatus_t status, const PlanKey& key) {
  check(status == CUBLAS_STATUS_SUCCESS, "cuda: the product ", description(key), ": ",
        cublasLtGetStatusString(status));
}

Layout layout(const PlanKey& key, Dtype type, int64_t rows, int64_t columns, int64_t ld,
              int64_t stride) {
  cublasLtMatrixLayout_t made = nullptr;
  expect_made(cublasLtMatrixLayoutCreate(&made, type_of(type), static_cast<uint64_t>(columns),
                                         static_cast<uint64_t>(rows), ld),
              key);
  Layout owned(made);
  const auto set = [&](cublasLtMatrixLayoutAttribute_t what, const auto& value) {
    expect_made(cublasLtMatrixLayoutSetAttribute(made, what, &value, sizeof value), key);
  };
  if (key.batch > 1) {
    set(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, static_cast<int32_t>(key.batch));
    set(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, stride);
  }
  return owned;
}

template <class T>
void set(const Description& product, cublasLtMatmulDescAttributes_t what, const T& value,
         const PlanKey& key) {
  expect_made(cublasLtMatmulDescSetAttribute(product.get(), what, &value, sizeof value), key);
}

bool of_integers(const PlanKey& key) { return key.factors == Dtype::i8; }

cublasComputeType_t compute_type(const PlanKey& key) {
  if (of_integers(key)) return CUBLAS_COMPUTE_32I;
  return key.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
}

Description describe(const PlanKey& key) {
  cublasLtMatmulDesc_t made = nullptr;
  expect_made(cublasLtMatmulDescCreate(&made, compute_type(key),
                                       of_integers(key) ? CUDA_R_32I : CUDA_R_32F),
              key);
  Description owned(made);
  const auto op = [](bool transposed) { return transposed ? CUBLAS_OP_T : CUBLAS_OP_N; };
  set(owned, CUBLASLT_MATMUL_DESC_TRANSA, op(key.transposed_b), key);
  set(owned, CUBLASLT_MATMUL_DESC_TRANSB, op(key.transposed_a), key);
  if (key.bias || key.row_sums) {
    const auto epilogue = key.bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_BGRADB;
    set(owned, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue, key);
    set(owned, CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE, type_of(key.result), key);
    // The list of algorithms depends on the alignment alone.
    set(owned, CUBLASLT_MATMUL_DESC_BIAS_POINTER, uintptr_t{key.align_vector}, key);
  }
  return owned;
}

// Which algorithms may be chosen: partial sums of products that are split along K stay in f32.
Preference preference(const PlanKey& key) {
  cublasLtMatmulPreference_t made = nullptr;
  expect_made(cublasLtMatmulPreferenceCreate(&made), key);
  Preference owned(made);
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t what, const auto& value) {
    expect_made(cublasLtMatmulPreferenceSetAttribute(made, what, &value, sizeof value), key);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, uint64_t{kWorkspace});
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, uint32_t{key.align_b});
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, uint32_t{key.align_a});
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, uint32_t{key.align_c});
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, uint32_t{key.align_c});
  return owned;
}

struct PlanHash {
  size_t operator()(const PlanKey& key) const {
    uint64_t hash = 0;
    const auto mix = [&](auto value) {
      hash = (hash ^ static_cast<uint64_t>(value)) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    };
    for (const int64_t each : {key.M, key.N, key.K, key.batch, key.lda, key.ldb, key.ldc,
                               key.stride_a, key.stride_b, key.stride_c})
      mix(each);
    mix(key.factors), mix(key.result);
    for (const bool each :
         {key.transposed_a, key.transposed_b, key.bias, key.row_sums, key.tf32, key.tuned})
      mix(each);
    for (const uint16_t each : {key.align_a, key.align_b, key.align_c, key.align_vector}) mix(each);
    return hash;
  }
};

class Plan {
 public:
  Plan(cublasLtHandle_t handle, const PlanKey& key);
  bool possible() const { return count_ > 0; }
  // Times the algorithms of the list on these operands, C apart, and keeps the fastest.
  void tune(const Operands& operands, void* workspace);
  void run(const Operands& operands, void* workspace);

 private:
  static constexpr int kCandidates = 8;
  cublasStatus_t run(int algorithm, const Operands& operands, void* workspace);

  cublasLtHandle_t handle_;
  PlanKey key_;
  Description product_;
  Layout a_, b_, c_;
  cublasLtMatmulHeuristicResult_t list_[kCandidates] = {};  // best first, as cuBLASLt supposes
  int count_ = 0, chosen_ = 0;
};

Plan::Plan(cublasLtHandle_t handle, const PlanKey& key)
    : handle_(handle), key_(key), product_(describe(key)) {
  const int64_t M = key.M, N = key.N, K = key.K;
  a_ = key.transposed_a ? layout(key, key.factors, K, M, key.lda, key.stride_a)
                        : layout(key, key.factors, M, K, key.lda, key.stride_a);
  b_ = key.transposed_b ? layout(key, key.factors, N, K, key.ldb, key.stride_b)
                        : layout(key, key.factors, K, N, key.ldb, key.stride_b);
  c_ = layout(key, key.result, M, N, key.ldc, key.stride_c);
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(
      handle, product_.get(), b_.get(), a_.get(), c_.get(), c_.get(), preference(key).get(),
      key.tuned ? kCandidates : 1, list_, &count_);
  if (status != CUBLAS_STATUS_SUCCESS) count_ = 0;
}

cublasStatus_t Plan::run(int algorithm, const Operands& o, void* workspace) {
  constexpr int32_t kOne = 1, kZero = 0;  // of integers
  const void* alpha = of_integers(key_) ? static_cast<const void*>(&kOne) : &o.alpha;
  const void* beta = of_integers(key_) ? static_cast<const void*>(&kZero) : &o.beta;
  return cublasLtMatmul(handle_, product_.get(), alpha, o.b, b_.get(), o.a, a_.get(), beta, o.c,
                        c_.get(), o.c, c_.get(), &list_[algorithm].algo, workspace, kWorkspace,
                        stream());
}

void Plan::run(const Operands& o, void* workspace) {
  detail::last_launched = "of a matrix product";
  if (o.vector) set(product_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, o.vector, key_);
  KernelTimes::around([this] { return "product " + description(key_); },
                      [&] { expect_made(run(chosen_, o, workspace), key_); });
}

void Plan::tune(const Operands& operands, void* workspace) {
  constexpr int kRounds = 5;
  const int64_t elements = (key_.batch - 1) * key_.stride_c + (key_.M - 1) * key_.ldc + key_.N;
  const size_t bytes = static_cast<size_t>(elements) * size_of(key_.result);
  Operands o = operands;
  o.c = device_memory().allocate(bytes);
  expect_success(cudaMemsetAsync(o.c, 0, bytes, stream()), "clearing memory");
  if (o.vector) set(product_, CUBLASLT_MATMUL_DESC_BIAS_POINTER, o.vector, key_);
  Event start, end;
  double fastest = std::numeric_limits<double>::infinity();
  for (int i = 0; i < count_; ++i) {
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round <= kRounds; ++round) {  // the first one warms up
      start.record();
      if (run(i, o, workspace) != CUBLAS_STATUS_SUCCESS) break;
      end.record();
      const double time = end.milliseconds_since(start);
      if (round > 0) best = std::min(best, time);
    }
    if (best < fastest) fastest = best, chosen_ = i;
  }
  device_memory().release(o.c, bytes);
}

bool capturing() {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  expect_success(cudaStreamIsCapturing(stream(), &status), "asking whether a graph is captured");
  return status != cudaStreamCaptureStatusNone;
}

// The plans of this process, and a workspace for each stream. One thread at a time.
class Plans {
 public:
  Plans() {
    properties();
    const cublasStatus_t status = cublasLtCreate(&handle_);
    check(status == CUBLAS_STATUS_SUCCESS,
          "cuda: starting cuBLASLt: ", cublasLtGetStatusString(status));
  }

  bool run(PlanKey key, const Operands& operands) {
    const std::lock_guard lock(mutex_);
    auto found = plans_.find(key);
    if (found == plans_.end() && key.tuned && capturing()) {
      key.tuned = false;
      found = plans_.find(key);
    }
    if (found == plans_.end()) found = make(key, operands);
    if (found->second.possible()) found->second.run(operands, workspace());
    return found->second.possible();
  }

  int64_t made() {
    const std::lock_guard lock(mutex_);
    return made_;
  }

 private:
  static constexpr size_t kLargest = 8192;  // plans kept; then all are forgotten
  using Map = std::unordered_map<PlanKey, Plan, PlanHash>;

  Map::iterator make(const PlanKey& key, const Operands& operands) {
    if (plans_.size() >= kLargest) plans_.clear();
    const auto plan = plans_.emplace(std::piecewise_construct, std::forward_as_tuple(key),
                                     std::forward_as_tuple(handle_, key));
    ++made_;
    if (key.tuned) plan.first->second.tune(operands, workspace());
    return plan.first;
  }

  void* workspace() {
    void*& made = workspaces_[stream()];
    if (!made) made = lasting_workspace(kWorkspace);
    return made;
  }

  std::mutex mutex_;
  cublasLtHandle_t handle_ = nullptr;
  Map plans_;
  std::unordered_map<cudaStream_t, void*> workspaces_;
  int64_t made_ = 0;
};

Plans& plans() {
  static auto& made = *new Plans;
  return made;
}

}  // namespace

std::string description(const PlanKey& key) {
  const auto text = [](int64_t rows, int64_t columns) {
    return '(' + std::to_string(rows) + ", " + std::to_string(columns) + ')';
  };
  return (key.batch > 1 ? std::to_string(key.batch) + " times " : "") + text(key.M, key.K) + " × " +
         text(key.K, key.N) + " in " + name_of(key.factors);
}

bool run_product(const PlanKey& key, const Operands& operands) {
  return plans().run(key, operands);
}

int64_t plans_made() { return plans().made(); }

}  // namespace ink::cuda
