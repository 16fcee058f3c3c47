// cuBLASLt's calls: descriptors, the checks of arguments, and products in a stream's order.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "cuda/emulated/arena.h"
#include "cuda/emulated/graphs.h"
#include "cuda/emulated/products.h"
#include "cuda/emulated/status.h"
#include "cuda/emulated/streams.h"
#include "cuda/stream.h"

struct EmulatedLt {};

struct EmulatedPreference {
  uint64_t workspace = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};  // of A, B, C and D
};

namespace ink::cuda::emulated {
namespace {

template <class T>
bool read_value(T& target, const void* value, size_t bytes) {
  if (!value || bytes != sizeof(T)) return false;
  std::memcpy(&target, value, bytes);
  return true;
}

cublasStatus_t valid(bool yes) { return yes ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE; }

bool known(cudaDataType_t type, Dtype& dtype) {
  switch (type) {
    case CUDA_R_32F: dtype = Dtype::f32; return true;
    case CUDA_R_16F: dtype = Dtype::f16; return true;
    case CUDA_R_16BF: dtype = Dtype::bf16; return true;
    case CUDA_R_8I: dtype = Dtype::i8; return true;
    case CUDA_R_32I: dtype = Dtype::i32; return true;
  }
  return false;
}

struct Product {
  const EmulatedMatmul& how;
  const EmulatedLayout &a, &b, &c, &d;
};

// Of i8: the first factor transposed, the second not, whole fours of rows and along K.
bool are_supported_integers(const Product& p) {
  const auto in_fours = [](const EmulatedLayout& m) { return m.rows % 4 == 0 && m.ld % 4 == 0; };
  return p.how.epilogue == CUBLASLT_EPILOGUE_DEFAULT && p.a.type == Dtype::i8 &&
         p.b.type == Dtype::i8 && p.c.type == Dtype::i32 && p.d.type == Dtype::i32 &&
         p.how.transposed_a && !p.how.transposed_b && in_fours(p.a) && in_fours(p.b) &&
         in_fours(p.d);
}

bool is_supported(const Product& p) {
  if (p.how.of_integers) return are_supported_integers(p);
  const auto e = p.how.epilogue;
  const bool known_epilogue = e == CUBLASLT_EPILOGUE_DEFAULT || e == CUBLASLT_EPILOGUE_BIAS ||
                              e == CUBLASLT_EPILOGUE_BGRADA || e == CUBLASLT_EPILOGUE_BGRADB;
  return known_epilogue && is_float(p.a.type) && p.a.type == p.b.type && p.c.type == p.d.type &&
         (p.d.type == p.a.type || p.d.type == Dtype::f32);
}

cublasStatus_t expect_extents(const Product& p) {
  const auto inner = [](const EmulatedLayout& m, bool rows) { return rows ? m.rows : m.columns; };
  const int64_t M = inner(p.a, !p.how.transposed_a), K = inner(p.a, p.how.transposed_a),
                N = inner(p.b, p.how.transposed_b);
  const bool fit = inner(p.b, !p.how.transposed_b) == K && p.c.rows == M && p.d.rows == M &&
                   p.c.columns == N && p.d.columns == N;
  const bool same_batch =
      p.a.batch == p.d.batch && p.b.batch == p.d.batch && p.c.batch == p.d.batch;
  if (!fit || !same_batch) return CUBLAS_STATUS_INVALID_VALUE;
  return is_supported(p) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

int64_t elements(const EmulatedLayout& m) {
  if (m.rows == 0 || m.columns == 0) return 0;
  return (m.batch - 1) * m.stride + (m.columns - 1) * m.ld + m.rows;
}

bool usable(const void* p, Dtype type, int64_t n) {
  return arena().usable(p, static_cast<size_t>(n) * size_of(type));
}

bool aligned(const void* p, uint64_t alignment) {
  return reinterpret_cast<uintptr_t>(p) % alignment == 0;
}

Dtype vector_type(const Product& p) {
  return p.how.vector_type_given ? p.how.vector_type : p.d.type;
}

int64_t vector_size(const Product& p) {
  return p.how.epilogue == CUBLASLT_EPILOGUE_BGRADB ? p.d.columns : p.d.rows;
}

// Says to ThreadSanitizer what the stream reads and writes.
void see(const void* p, const EmulatedLayout& m, bool writes) {
  const auto bytes = static_cast<int64_t>(size_of(m.type));
  for (int64_t k = 0; k < m.batch; ++k) {
    for (int64_t j = 0; j < m.columns; ++j) {
      const char* column = static_cast<const char*>(p) + (k * m.stride + j * m.ld) * bytes;
      see_access(column, static_cast<size_t>(m.rows * bytes), writes);
    }
  }
}

// alpha or beta: four bytes, of f32 or i32.
using Number = std::array<char, 4>;
Number number_at(const void* p) {
  Number number;
  std::memcpy(number.data(), p, number.size());
  return number;
}

void compute(const Product& p, const Number& alpha, const void* a, const void* b,
             const Number& beta, const void* c, void* d) {
  const Dtype type = vector_type(p);
  for (int64_t k = 0; k < p.d.batch; ++k) {
    const Matrix first(a, p.a, p.how.transposed_a, k), second(b, p.b, p.how.transposed_b, k);
    const Matrix result(d, p.d, false, k);
    if (p.how.of_integers) {
      multiply_integers(first, second, result);
      continue;
    }
    const bool adds = p.how.epilogue == CUBLASLT_EPILOGUE_BIAS;
    multiply(std::bit_cast<float>(alpha), first, second, std::bit_cast<float>(beta),
             Matrix(c, p.c, false, k), adds ? p.how.vector : nullptr, type, result);
    if (p.how.epilogue == CUBLASLT_EPILOGUE_BGRADA) sum_rows(first, p.how.vector, type);
    if (p.how.epilogue == CUBLASLT_EPILOGUE_BGRADB) {
      sum_rows(Matrix(b, p.b, !p.how.transposed_b, k), p.how.vector, type);
    }
  }
}

}  // namespace
}  // namespace ink::cuda::emulated

using namespace ink::cuda::emulated;  // NOLINT(google-build-using-namespace)
using ink::Dtype;

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "CUBLAS_STATUS_UNKNOWN";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new EmulatedLt;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

// ── descriptors ─────────────────────────────────────────────────────────────────────────────────

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* product, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  const bool of_integers = compute == CUBLAS_COMPUTE_32I;
  if (scale != (of_integers ? CUDA_R_32I : CUDA_R_32F)) return CUBLAS_STATUS_NOT_SUPPORTED;
  *product = new EmulatedMatmul{.of_integers = of_integers};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t product) {
  delete product;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t product,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  cublasOperation_t op = CUBLAS_OP_N;
  cudaDataType_t type = CUDA_R_32F;
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      if (!read_value(op, value, bytes)) break;
      product->transposed_a = op == CUBLAS_OP_T;
      return CUBLAS_STATUS_SUCCESS;
    case CUBLASLT_MATMUL_DESC_TRANSB:
      if (!read_value(op, value, bytes)) break;
      product->transposed_b = op == CUBLAS_OP_T;
      return CUBLAS_STATUS_SUCCESS;
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return valid(read_value(product->epilogue, value, bytes));
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return valid(read_value(product->vector, value, bytes));
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      if (!read_value(type, value, bytes) || !known(type, product->vector_type)) break;
      product->vector_type_given = true;
      return CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type,
                                          uint64_t rows, uint64_t columns, int64_t ld) {
  Dtype dtype = Dtype::f32;
  if (!known(type, dtype)) return CUBLAS_STATUS_NOT_SUPPORTED;
  if (ld < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
  *layout =
      new EmulatedLayout{dtype, static_cast<int64_t>(rows), static_cast<int64_t>(columns), ld};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT: return valid(read_value(layout->batch, value, bytes));
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return valid(read_value(layout->stride, value, bytes));
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}

// ── algorithms ──────────────────────────────────────────────────────────────────────────────────

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new EmulatedPreference;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete preference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  uint32_t ignored = 0;
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return valid(read_value(preference->workspace, value, bytes));
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return valid(read_value(ignored, value, bytes));
    default: {
      const int at = attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
      return valid(read_value(preference->alignment[at], value, bytes));
    }
  }
}

// An algorithm holds the alignments it was asked for, and the workspace.
cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t* results,
                                              int* count) {
  *count = 0;
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (most < 1) return CUBLAS_STATUS_INVALID_VALUE;
  const cublasStatus_t status = expect_extents({*product, *a, *b, *c, *d});
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  results[0] = {.algo = {},
                .workspaceSize = preference->workspace,
                .state = CUBLAS_STATUS_SUCCESS,
                .wavesCount = 1};
  std::copy_n(preference->alignment, 4, results[0].algo.data);
  results[0].algo.data[4] = preference->workspace;
  *count = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t product,
                              const void* alpha, const void* a, cublasLtMatrixLayout_t a_layout,
                              const void* b, cublasLtMatrixLayout_t b_layout, const void* beta,
                              const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algo,
                              void* workspace, size_t workspace_bytes, cudaStream_t stream) {
  if (!handle) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (reported(cudaSuccess) != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
  const Product p{*product, *a_layout, *b_layout, *c_layout, *d_layout};
  const cublasStatus_t status = expect_extents(p);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  // A graph is done when the descriptors are gone.
  const auto again = [=, one = number_at(alpha), more = number_at(beta), of = *product,
                      of_a = *a_layout, of_b = *b_layout, of_c = *c_layout, of_d = *d_layout,
                      by = *algo]() mutable {
    cublasLtMatmul(handle, &of, one.data(), a, &of_a, b, &of_b, more.data(), c, &of_c, d, &of_d,
                   &by, workspace, workspace_bytes, ink::cuda::stream());
  };
  if (noted(stream, again)) return CUBLAS_STATUS_SUCCESS;
  const ArenaAccess access;
  const auto* needs = algo->data;
  const bool has_vector = p.how.epilogue != CUBLASLT_EPILOGUE_DEFAULT;
  const bool in_place = usable(a, p.a.type, elements(p.a)) && usable(b, p.b.type, elements(p.b)) &&
                        usable(c, p.c.type, elements(p.c)) && usable(d, p.d.type, elements(p.d)) &&
                        (!has_vector || usable(p.how.vector, vector_type(p), vector_size(p)));
  const bool all_aligned =
      aligned(a, needs[0]) && aligned(b, needs[1]) && aligned(c, needs[2]) && aligned(d, needs[3]);
  const bool has_workspace =
      workspace_bytes >= needs[4] && arena().usable(workspace, workspace_bytes);
  if (!in_place || !all_aligned || !has_workspace) return CUBLAS_STATUS_INVALID_VALUE;
  compute(p, number_at(alpha), a, b, number_at(beta), c, d);

  const InStream in_stream(stream);
  see(a, p.a, false);
  see(b, p.b, false);
  see(d, p.d, true);
  if (has_vector) {
    see_access(p.how.vector, static_cast<size_t>(vector_size(p)) * size_of(vector_type(p)),
               p.how.epilogue != CUBLASLT_EPILOGUE_BIAS);
  }
  std::memset(workspace, 0xff, std::min<size_t>(workspace_bytes, 64));
  return CUBLAS_STATUS_SUCCESS;
}
