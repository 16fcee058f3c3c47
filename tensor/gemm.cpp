// The products: cutting C into tasks, packing what a task needs, running the micro-kernels over it.
#include "tensor/gemm.h"

#include <algorithm>

#include "tensor/allocator.h"
#include "tensor/error.h"
#include "tensor/gemm_kernel.h"
#include "tensor/panels.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"
#include "tensor/vector_math.h"

namespace ink {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Sizes that keep what is used again in the second-level cache: kDepth × kTaskColumns floats of
// packed B, and kBlockRows rows of A, kDepth long. A panel of B streams from there into the
// registers for each tile.
constexpr int64_t kDepth = 768;  // steps of k between two visits of a tile of C
constexpr int64_t kTaskColumns = 96;
constexpr int64_t kBlockRows = 48;
constexpr int64_t kTaskWork = int64_t{1} << 18;  // multiply-adds that are worth a hand-out

// B as the user gave it, or packed.
struct Right {
  const float* b;
  int64_t ldb = 0;
  bool transposed = false;
  bool packed = false;
};

// The epilogue that a kernel has to apply: null when there is nothing to do.
const Epilogue<float>* finish_of(const Epilogue<float>& e) {
  const bool plain = !e.bias && !e.before && !e.residual && e.activation == Activation::none;
  return plain ? nullptr : &e;
}

// One product. Tasks are rectangles of C; each runs through k in blocks of kDepth.
class Product {
 public:
  Product(const GemmKernel& kernel, bool transpose_a, int64_t m, int64_t n, int64_t k,
          const float* a, int64_t lda, const Right& b, float* c, int64_t ldc,
          const Epilogue<float>& epilogue)
      : kernel_(kernel),
        transpose_a_(transpose_a),
        m_(m),
        n_(n),
        k_(k),
        a_(a),
        lda_(lda),
        b_(b),
        c_(c),
        ldc_(ldc),
        epilogue_(epilogue) {
    finish_ = finish_of(epilogue_);
    panels_ = divide_up(n, kernel.panel_width);
    cut();
  }

  void run() const {
    if (!transpose_a_) return multiply(0, k_, nullptr);
    // Aᵀ is packed for all tasks at once: they share its rows.
    const Scratch<float> rows(padded_rows() * std::min(k_, kDepth));
    for (int64_t k = 0; k < k_; k += kDepth) {
      const int64_t depth = std::min(kDepth, k_ - k);
      parallel_for(divide_up(m_, tile_rows_), grain_for(depth * tile_rows_),
                   [&](int64_t begin, int64_t end) {
                     const int64_t row = begin * tile_rows_,
                                   row_end = std::min(m_, end * tile_rows_);
                     pack_panels(a_, lda_, false, k, depth, row, row_end - row, tile_rows_,
                                 tile_rows_, rows.data() + row * depth);
                   });
      multiply(k, k + depth, rows.data());
    }
    if (k_ == 0) multiply(0, 0, nullptr);
  }

 private:
  int64_t padded_rows() const { return divide_up(m_, tile_rows_) * tile_rows_; }

  // Chooses the sizes of tiles, blocks and tasks.
  void cut() {
    const int64_t tiles = divide_up(m_, kernel_.rows);
    tile_rows_ = divide_up(m_, tiles);
    block_rows_ = kBlockRows / tile_rows_ * tile_rows_;
    const int64_t wanted =
        std::clamp<int64_t>(m_ * n_ * std::max<int64_t>(k_, 1) / kTaskWork, 1, 4 * threads());
    const int64_t most_panels = std::max<int64_t>(1, kTaskColumns / kernel_.panel_width);
    task_panels_ = std::clamp<int64_t>(divide_up(panels_, wanted), 1, most_panels);
    const int64_t column_tasks = divide_up(panels_, task_panels_);
    const int64_t row_tasks = std::min(divide_up(wanted, column_tasks), tiles);
    task_rows_ = divide_up(tiles, row_tasks) * tile_rows_;
  }

  // Columns [k_begin, k_end) of A times the rows of B: every task.
  void multiply(int64_t k_begin, int64_t k_end, const float* packed_a) const {
    const int64_t row_tasks = divide_up(m_, task_rows_),
                  column_tasks = divide_up(panels_, task_panels_);
    parallel_for(row_tasks * column_tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        task(t % row_tasks * task_rows_, t / row_tasks * task_panels_, k_begin, k_end, packed_a);
      }
    });
  }

  void task(int64_t row, int64_t panel, int64_t k_begin, int64_t k_end,
            const float* packed_a) const {
    const int64_t row_end = std::min(m_, row + task_rows_),
                  panel_end = std::min(panels_, panel + task_panels_);
    const int64_t width = kernel_.panel_width, column = panel * width;
    const Scratch<float> scratch(
        b_.packed ? 0 : (panel_end - panel) * width * std::min(k_end - k_begin, kDepth));
    int64_t k = k_begin;
    do {
      const int64_t depth = std::min(kDepth, k_end - k);
      if (!b_.packed) {
        pack_panels(b_.b, b_.ldb, b_.transposed, k, depth, column,
                    std::min(n_, panel_end * width) - column, width, kernel_.vector_width,
                    scratch.data());
      }
      for (int64_t r = row; r < row_end; r += block_rows_) {
        for (int64_t p = panel; p < panel_end; ++p) {
          const int64_t stored = stored_columns(n_, p, width, kernel_.vector_width);
          const float* b = b_.packed ? b_.b + p * width * k_ + k * stored
                                     : scratch.data() + (p - panel) * width * depth;
          column_of_tiles(r, std::min(row_end, r + block_rows_), p * width,
                          std::min(n_ - p * width, width), k, depth, b, packed_a);
        }
      }
      k += depth;
    } while (k < k_end);
  }

  // All tiles of one panel.
  void column_of_tiles(int64_t row, int64_t row_end, int64_t column, int64_t columns, int64_t k,
                       int64_t depth, const float* b, const float* packed_a) const {
    TileCall t;
    t.lda = packed_a ? tile_rows_ : lda_;
    t.a_by_columns = packed_a != nullptr;
    t.b = b;
    t.depth = depth;
    t.ldc = ldc_;
    t.columns = columns;
    t.continues = k > 0 || epilogue_.accumulate;
    t.epilogue = k + depth == k_ ? finish_ : nullptr;
    t.column = column;
    for (int64_t r = row; r < row_end; r += tile_rows_) {
      t.a = packed_a ? packed_a + r * depth : a_ + r * lda_ + k;
      t.c = c_ + r * ldc_ + column;
      t.row = r;
      kernel_.tile(std::min(tile_rows_, row_end - r), columns)(t);
    }
  }

  const GemmKernel& kernel_;
  bool transpose_a_;
  int64_t m_, n_, k_;
  const float* a_;
  int64_t lda_;
  Right b_;
  float* c_;
  int64_t ldc_;
  const Epilogue<float>& epilogue_;
  const Epilogue<float>* finish_ = nullptr;
  int64_t panels_ = 0;
  int64_t tile_rows_ = 1, block_rows_ = 1, task_rows_ = 1, task_panels_ = 1;
};

// out[n][k] = op(B)[k][n]
void copy_by_columns(const Right& b, int64_t n, int64_t k, float* out) {
  const int64_t n_step = b.transposed ? b.ldb : 1, k_step = b.transposed ? 1 : b.ldb;
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = 0; i < k; ++i) out[j * k + i] = b.b[j * n_step + i * k_step];
  }
}

// N ≤ kNarrow, A by rows.
void multiply_narrow(const GemmKernel& kernel, int64_t m, int64_t n, int64_t k, const float* a,
                     int64_t lda, const Right& b, float* c, int64_t ldc,
                     const Epilogue<float>& epilogue) {
  const Scratch<float> columns(b.transposed ? 0 : n * k);
  if (!b.transposed) copy_by_columns(b, n, k, columns.data());
  const int64_t rows = std::max<int64_t>(1, kTaskWork / (n * std::max<int64_t>(k, 1)));
  parallel_for(m, rows, [&](int64_t begin, int64_t end) {
    TileCall t;
    t.a = a + begin * lda;
    t.lda = lda;
    t.b = b.transposed ? b.b : columns.data();
    t.ldb = b.transposed ? b.ldb : k;
    t.depth = k;
    t.c = c + begin * ldc;
    t.ldc = ldc;
    t.columns = n;
    t.continues = epilogue.accumulate;
    t.epilogue = finish_of(epilogue);
    t.row = begin;
    kernel.narrow[static_cast<size_t>(n - 1)](t, end - begin);
  });
}

void multiply(const GemmKernel& kernel, bool transpose_a, int64_t m, int64_t n, int64_t k,
              const float* a, int64_t lda, const Right& b, float* c, int64_t ldc,
              const Epilogue<float>& epilogue) {
  if (m == 0 || n == 0) return;
  if (n <= kNarrow && !transpose_a)
    return multiply_narrow(kernel, m, n, k, a, lda, b, c, ldc, epilogue);
  Product(kernel, transpose_a, m, n, k, a, lda, b, c, ldc, epilogue).run();
}

void check_sizes(int64_t m, int64_t n, int64_t k) {
  check(m >= 0 && n >= 0 && k >= 0, "gemm: expected extents of at least 0, got M ", m, ", N ", n,
        ", K ", k);
}

// The epilogue of f64: a pass over C.
void finish(int64_t m, int64_t n, double* c, int64_t ldc, const Epilogue<double>& e) {
  vmath::with(e.activation, [&](auto activation) {
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double x = c[i * ldc + j];
        if (e.bias) x += e.bias[j];
        if (e.before) e.before[i * e.ld_before + j] = x;
        x = activation(x);
        if (e.residual) x += e.residual[i * e.ld_residual + j];
        c[i * ldc + j] = x;
      }
    }
  });
}

}  // namespace

PackedMatrix::PackedMatrix(const float* b, int64_t ldb, bool transposed, int64_t n, int64_t k,
                           uint64_t source_version)
    : n_(n), k_(k), source_version_(source_version) {
  check_sizes(1, n, k);
  const GemmKernel& kernel = gemm_kernel();
  width_ = kernel.panel_width;
  const int64_t panels = divide_up(n, width_);
  const int64_t columns =
      n <= kNarrow
          ? n
          : (panels - 1) * width_ + stored_columns(n, panels - 1, width_, kernel.vector_width);
  bytes_ = columns * k * static_cast<int64_t>(sizeof(float));
  panels_ = static_cast<float*>(pool().allocate(static_cast<size_t>(bytes_)));
  if (n <= kNarrow) {
    copy_by_columns({.b = b, .ldb = ldb, .transposed = transposed}, n, k, panels_);
    return;
  }
  parallel_for(panels, grain_for(k * width_), [&](int64_t begin, int64_t end) {
    const int64_t column = begin * width_;
    pack_panels(b, ldb, transposed, 0, k, column, std::min(n, end * width_) - column, width_,
                kernel.vector_width, panels_ + column * k);
  });
}

PackedMatrix::~PackedMatrix() { pool().release(panels_, static_cast<size_t>(bytes_)); }

void gemm(bool transpose_a, int64_t m, const float* a, int64_t lda, const PackedMatrix& b, float* c,
          int64_t ldc, const Epilogue<float>& epilogue) {
  check_sizes(m, b.n(), b.k());
  const Right panels{.b = b.panels(), .packed = true},
      columns{.b = b.panels(), .ldb = b.k(), .transposed = true};
  multiply(gemm_kernel_of(b.panel_width()), transpose_a, m, b.n(), b.k(), a, lda,
           b.n() <= kNarrow ? columns : panels, c, ldc, epilogue);
}

template <>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a,
          int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc,
          const Epilogue<float>& epilogue) {
  check_sizes(m, n, k);
  const Right right{.b = b, .ldb = ldb, .transposed = transpose_b};
  multiply(gemm_kernel(), transpose_a, m, n, k, a, lda, right, c, ldc, epilogue);
}

template <>
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double* a,
          int64_t lda, const double* b, int64_t ldb, double* c, int64_t ldc,
          const Epilogue<double>& epilogue) {
  check_sizes(m, n, k);
  openblas_gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, c, ldc, epilogue.accumulate);
  finish(m, n, c, ldc, epilogue);
}

}  // namespace ink
