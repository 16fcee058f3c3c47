// Products of the emulated cuBLASLt: descriptors, and the arithmetic on matrices.
#pragma once
#include <cstdint>

#include <cublasLt.h>
#include "tensor/dtype.h"

struct EmulatedLayout {
  ink::Dtype type;
  int64_t rows, columns, ld;  // element (i, j) is at i + j·ld
  int32_t batch = 1;
  int64_t stride = 0;
};

struct EmulatedMatmul {
  bool of_integers = false;  // i8 with sums, alpha and beta in i32
  bool transposed_a = false, transposed_b = false;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  void* vector = nullptr;
  ink::Dtype vector_type = ink::Dtype::f32;
  bool vector_type_given = false;  // else D's
};

namespace ink::cuda::emulated {

// One matrix of a batch in the device's memory.
struct Matrix {
  Matrix(const void* data, const EmulatedLayout& layout, bool transposed, int64_t index);
  float at(int64_t i, int64_t j) const;
  int64_t place(int64_t i, int64_t j) const { return i * row_step + j * column_step; }

  const char* data;
  Dtype type;
  int64_t rows, columns;  // after the transposition
  int64_t row_step, column_step;
};

// d = alpha·a·b + beta·c + bias; bias (d's rows) may be null. Sums are f32, rounded once.
void multiply(float alpha, const Matrix& a, const Matrix& b, float beta, const Matrix& c,
              const void* bias, Dtype bias_type, const Matrix& d);

// d = a·b of i8, exact in i32.
void multiply_integers(const Matrix& a, const Matrix& b, const Matrix& d);

// sums[i] = Σ_j m(i, j).
void sum_rows(const Matrix& m, void* sums, Dtype type);

}  // namespace ink::cuda::emulated
