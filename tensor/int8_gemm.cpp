// 8-bit products: quantising both factors, cutting Y into tasks, running the micro-kernels.
#include "tensor/int8_gemm.h"

#include <algorithm>
#include <cmath>

#include "tensor/allocator.h"
#include "tensor/error.h"
#include "tensor/int8_kernel.h"
#include "tensor/panels.h"
#include "tensor/parallel.h"
#include "tensor/scratch.h"

namespace ink {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Sizes that keep what is used again in the second-level cache: kTaskColumns rows of W and
// kBlockRows of X, K long.
constexpr int64_t kTaskColumns = 96;
constexpr int64_t kBlockRows = 48;
constexpr int64_t kTaskWork = int64_t{1} << 20;  // multiply-adds that are worth a hand-out

int64_t groups_of(const Int8Kernel& kernel, int64_t k) { return divide_up(k, kernel.group); }

// Bytes from one quantised row to the next: an odd number of cache lines, so that the rows of a
// tile do not crowd one set of the cache.
int64_t row_bytes(const Int8Kernel& kernel, int64_t k) {
  constexpr int64_t kLine = 64;
  return (divide_up(4 * groups_of(kernel, k), kLine) | 1) * kLine;
}

// X in the numbers that the kernel multiplies, of type Q.
template <class Q>
void quantize_rows(const float* x, int64_t ldx, int64_t m, int64_t k, char* out, int64_t ld,
                   int64_t width, QuantizedRow* rows) {
  parallel_for(m, grain_for(k), [=](int64_t begin, int64_t end) {
    simd::run([=] {
      for (int64_t r = begin; r < end; ++r) {
        Q* q = reinterpret_cast<Q*>(out + r * ld);
        rows[r] = quantize_row(x + r * ldx, k, q);
        std::fill(q + k, q + width, Q{0});
      }
    });
  });
}

// One product. Tasks are rectangles of Y.
class Int8Product {
 public:
  Int8Product(int64_t m, const Int8Matrix& w, const char* a, int64_t lda, const QuantizedRow* rows,
              float* y, int64_t ldy, const Epilogue<float>& epilogue)
      : kernel_(w.kernel()),
        m_(m),
        w_(w),
        a_(a),
        lda_(lda),
        rows_(rows),
        y_(y),
        ldy_(ldy),
        epilogue_(epilogue),
        panels_(divide_up(w.n(), kernel_.panel_width)) {
    cut();
  }

  void run() const {
    const int64_t row_tasks = divide_up(m_, task_rows_),
                  column_tasks = divide_up(panels_, task_panels_);
    parallel_for(row_tasks * column_tasks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t)
        task(t % row_tasks * task_rows_, t / row_tasks * task_panels_);
    });
  }

 private:
  // Chooses the sizes of tiles, blocks and tasks.
  void cut() {
    const int64_t tiles = divide_up(m_, kernel_.rows);
    tile_rows_ = divide_up(m_, tiles);
    block_rows_ = kBlockRows / tile_rows_ * tile_rows_;
    const int64_t wanted = std::clamp<int64_t>(
        m_ * w_.n() * std::max<int64_t>(w_.k(), 1) / kTaskWork, 1, 4 * threads());
    const int64_t most_panels = std::max<int64_t>(1, kTaskColumns / kernel_.panel_width);
    task_panels_ = std::clamp<int64_t>(divide_up(panels_, wanted), 1, most_panels);
    const int64_t row_tasks = std::min(divide_up(wanted, divide_up(panels_, task_panels_)), tiles);
    task_rows_ = divide_up(tiles, row_tasks) * tile_rows_;
  }

  void task(int64_t row, int64_t panel) const {
    const int64_t row_end = std::min(m_, row + task_rows_),
                  panel_end = std::min(panels_, panel + task_panels_);
    for (int64_t r = row; r < row_end; r += block_rows_) {
      for (int64_t p = panel; p < panel_end; ++p)
        column_of_tiles(r, std::min(row_end, r + block_rows_), p);
    }
  }

  // All tiles of one panel.
  void column_of_tiles(int64_t row, int64_t row_end, int64_t panel) const {
    const int64_t width = kernel_.panel_width, column = panel * width;
    Int8TileCall t;
    t.lda = lda_;
    t.steps = groups_of(kernel_, w_.k());
    t.b = w_.panels() + column * t.steps * kernel_.group;
    t.column_scales = w_.scales() + column;
    t.column_sums = w_.sums() + column;
    t.out.ldc = ldy_;
    t.out.columns = std::min(w_.n() - column, width);
    t.out.epilogue = &epilogue_;
    t.out.column = column;
    for (int64_t r = row; r < row_end; r += tile_rows_) {
      t.a = a_ + r * lda_;
      t.rows = rows_ + r;
      t.out.c = y_ + r * ldy_ + column;
      t.out.row = r;
      kernel_.tile(std::min(tile_rows_, row_end - r), t.out.columns)(t);
    }
  }

  const Int8Kernel& kernel_;
  int64_t m_;
  const Int8Matrix& w_;
  const char* a_;
  int64_t lda_;
  const QuantizedRow* rows_;
  float* y_;
  int64_t ldy_;
  const Epilogue<float>& epilogue_;
  int64_t panels_;
  int64_t tile_rows_ = 1, block_rows_ = 1, task_rows_ = 1, task_panels_ = 1;
};

}  // namespace

Int8Matrix::Int8Matrix(const float* weight, int64_t ld, int64_t n, int64_t k,
                       const Int8Kernel& kernel)
    : kernel_(kernel), n_(n), k_(k) {
  check(n >= 0 && k >= 0 && k <= kLongestInt8, "int8: expected a weight of at most ", kLongestInt8,
        " inputs, got (", n, ", ", k, ")");
  const int64_t width = kernel.panel_width, panels = divide_up(n, width);
  const int64_t columns =
      n == 0 ? 0 : (panels - 1) * width + stored_columns(n, panels - 1, width, kernel.vector_width);
  const int64_t numbers = Scratch<int8_t>::rounded(columns * groups_of(kernel, k) * kernel.group);
  bytes_ = numbers + columns * static_cast<int64_t>(sizeof(float) + sizeof(int32_t));
  panels_ = static_cast<int8_t*>(pool().allocate(static_cast<size_t>(bytes_)));
  scales_ = reinterpret_cast<float*>(panels_ + numbers);
  sums_ = reinterpret_cast<int32_t*>(scales_ + columns);
  std::fill_n(panels_, numbers, int8_t{0});
  std::fill_n(scales_, columns, 0.0f);
  std::fill_n(sums_, columns, 0);
  parallel_for(panels, grain_for(k * width), [&](int64_t begin, int64_t end) {
    simd::run([&] {
      for (int64_t p = begin; p < end; ++p) pack_panel(weight, ld, p);
    });
  });
  const auto unusable = std::find_if(scales_, scales_ + n, [](float s) { return std::isnan(s); });
  if (unusable == scales_ + n) return;
  const int64_t row = unusable - scales_;
  pool().release(panels_, static_cast<size_t>(bytes_));
  fail("int8: expected finite weights, got NaN or an infinity in row ", row,
       "; a model with such weights cannot be quantised");
}

Int8Matrix::~Int8Matrix() { pool().release(panels_, static_cast<size_t>(bytes_)); }

void Int8Matrix::pack_panel(const float* weight, int64_t ld, int64_t panel) {
  const int64_t group = kernel_.group, first = panel * kernel_.panel_width;
  const int64_t stored = stored_columns(n_, panel, kernel_.panel_width, kernel_.vector_width);
  int8_t* out = panels_ + first * groups_of(kernel_, k_) * group;
  const Scratch<int8_t> row(k_);
  for (int64_t n = 0; n < std::min(stored, n_ - first); ++n) {
    int8_t* q = row.data();
    const auto [scale, sum] = quantize_weights(weight + (first + n) * ld, k_, q);
    scales_[first + n] = scale;
    sums_[first + n] = sum;
    for (int64_t k = 0; k < k_; ++k) out[(k / group * stored + n) * group + k % group] = q[k];
  }
}

void int8_gemm(int64_t m, const float* x, int64_t ldx, const Int8Matrix& w, float* y, int64_t ldy,
               const Epilogue<float>& epilogue) {
  check(m >= 0, "int8: expected at least 0 rows, got ", m);
  check(!epilogue.accumulate && !epilogue.before,
        "int8: the epilogue of a product for inference is bias, activation and residual");
  if (m == 0 || w.n() == 0) return;
  const Int8Kernel& kernel = w.kernel();
  const int64_t ld = row_bytes(kernel, w.k()), width = groups_of(kernel, w.k()) * kernel.group;
  const Scratch<char> a(m * ld);
  const Scratch<QuantizedRow> rows(m);
  const auto quantize = kernel.group == 4 ? quantize_rows<uint8_t> : quantize_rows<int16_t>;
  quantize(x, ldx, m, w.k(), a.data(), ld, width, rows.data());
  Int8Product(m, w, a.data(), ld, rows.data(), y, ldy, epilogue).run();
}

}  // namespace ink
