// Products on OpenBLAS: factors widened to f32, multiplied there, the result rounded once.
#include "cuda/emulated/products.h"

#include <cstring>
#include <vector>

#include "tensor/error.h"
#include "tensor/gemm.h"

namespace ink::cuda::emulated {
namespace {

template <class T>
T load(const char* p) {
  T x;
  std::memcpy(&x, p, sizeof x);
  return x;
}

float read(const void* data, Dtype type, int64_t i) {
  const char* p = static_cast<const char*>(data) + i * static_cast<int64_t>(size_of(type));
  switch (type) {
    case Dtype::f32: return load<float>(p);
    case Dtype::f16: return to_float(load<Float16>(p));
    case Dtype::bf16: return to_float(load<Bfloat16>(p));
    default: fail("emulated cuda: products are of f32, f16 or bf16");
  }
}

template <class T>
void store(char* p, T x) {
  std::memcpy(p, &x, sizeof x);
}

void write(void* data, Dtype type, int64_t i, float x) {
  char* p = static_cast<char*>(data) + i * static_cast<int64_t>(size_of(type));
  switch (type) {
    case Dtype::f32: return store(p, x);
    case Dtype::f16: return store(p, to_float16(x));
    case Dtype::bf16: return store(p, to_bfloat16(x));
    default: fail("emulated cuda: products are of f32, f16 or bf16");
  }
}

// Column by column, as row-major rows of the transpose.
std::vector<float> widened(const Matrix& m) {
  std::vector<float> all;
  all.reserve(static_cast<size_t>(m.rows * m.columns));
  for (int64_t j = 0; j < m.columns; ++j) {
    for (int64_t i = 0; i < m.rows; ++i) all.push_back(m.at(i, j));
  }
  return all;
}

}  // namespace

Matrix::Matrix(const void* data_, const EmulatedLayout& layout, bool transposed, int64_t index)
    : data(static_cast<const char*>(data_) +
           index * layout.stride * static_cast<int64_t>(size_of(layout.type))),
      type(layout.type),
      rows(transposed ? layout.columns : layout.rows),
      columns(transposed ? layout.rows : layout.columns),
      row_step(transposed ? layout.ld : 1),
      column_step(transposed ? 1 : layout.ld) {}

float Matrix::at(int64_t i, int64_t j) const { return read(data, type, place(i, j)); }

// OpenBLAS is asked for row-major dᵗ = bᵗ·aᵗ.
void multiply(float alpha, const Matrix& a, const Matrix& b, float beta, const Matrix& c,
              const void* bias, Dtype bias_type, const Matrix& d) {
  const int64_t M = d.rows, N = d.columns, K = a.columns;
  const std::vector<float> first = widened(b), second = widened(a);
  std::vector<float> sums(static_cast<size_t>(M * N));
  openblas_gemm(false, false, N, M, K, first.data(), K, second.data(), M, sums.data(), M, false);
  for (int64_t j = 0; j < N; ++j) {
    for (int64_t i = 0; i < M; ++i) {
      float x = alpha * sums[static_cast<size_t>(j * M + i)];
      if (beta != 0) x += beta * c.at(i, j);
      if (bias) x += read(bias, bias_type, i);
      write(const_cast<char*>(d.data), d.type, d.place(i, j), x);
    }
  }
}

void multiply_integers(const Matrix& a, const Matrix& b, const Matrix& d) {
  const auto number = [](const Matrix& m, int64_t i, int64_t j) {
    return int32_t{load<int8_t>(m.data + m.place(i, j))};
  };
  for (int64_t j = 0; j < d.columns; ++j) {
    for (int64_t i = 0; i < d.rows; ++i) {
      int32_t sum = 0;
      for (int64_t k = 0; k < a.columns; ++k) sum += number(a, i, k) * number(b, k, j);
      store(const_cast<char*>(d.data) + 4 * d.place(i, j), sum);
    }
  }
}

void sum_rows(const Matrix& m, void* sums, Dtype type) {
  for (int64_t i = 0; i < m.rows; ++i) {
    float sum = 0;
    for (int64_t j = 0; j < m.columns; ++j) sum += m.at(i, j);
    write(sums, type, i, sum);
  }
}

}  // namespace ink::cuda::emulated
