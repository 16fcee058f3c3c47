// Gradient sums and norms: one pass over memory each, in chunks that any thread may take.
#include "tensor/update.h"

#include <cmath>
#include <limits>
#include <utility>

#include "tensor/expect.h"
#include "tensor/in_place.h"
#include "tensor/op.h"

#if INK_CUDA
#include "cuda/in_flight.cuh"
#include "cuda/map.cuh"
#include "cuda/pieces.cuh"
#endif

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

template <class T>
void add_elements(Cpu, const T* x, const T* y, T* out, int64_t n) {
  for_each_chunk(n, [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) out[i] = x[i] + y[i];
  });
}

template <class T>
void scale_elements(Cpu, T* x, double factor, int64_t n) {
  const T f = static_cast<T>(factor);
  for_each_chunk(n, [=](int64_t begin, int64_t end) {
#pragma omp simd
    for (int64_t i = begin; i < end; ++i) x[i] *= f;
  });
}

template <class T>
double sum_of_squares(Cpu, const T* x, int64_t n) {
  return sum_in_f64(n, square_of(x));
}

template <class T>
double count_not_finite(Cpu, const T* x, int64_t n) {
  return chunked_sum(n, [=](int64_t begin, int64_t end) {
    int64_t found = 0;
    simd::run([&] {
#pragma omp simd reduction(+ : found)
      for (int64_t i = begin; i < end; ++i)
        found += std::abs(x[i]) <= std::numeric_limits<T>::max() ? 0 : 1;
    });
    return static_cast<double>(found);
  });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────

constexpr int kThreads = 256;

struct SumOfGradients {
  static constexpr const char* name = "add_gradient";
  INK_DEVICE float operator()(float a, float b) const { return a + b; }
};
template <class T>
void add_elements(Cuda, const T* x, const T* y, T* out, int64_t n) {
  cuda::map_elements(cuda::InF32<SumOfGradients, T>{}, n, out, x, y);
}

struct Scaled {
  static constexpr const char* name = "scale_in_place";
  float factor;
  INK_DEVICE float operator()(float x) const { return factor * x; }
};
template <class T>
void scale_elements(Cuda, T* x, double factor, int64_t n) {
  const Scaled scaled{static_cast<float>(factor)};
  cuda::map_elements(cuda::InF32<Scaled, T>{scaled}, n, x, static_cast<const T*>(x));
}

// out = x + factor·y; a null x counts as 0, out may be x.
struct SumEntry {
  void* out;  // f32
  const void *x, *y;
  int64_t size, first_piece;
  Dtype x_type, y_type;
  bool packed;
};

__global__ void sums_kernel(const SumEntry* entries, int count, float factor) {
  const SumEntry e = entries[cuda::entry_of(entries, count, blockIdx.x)];
  cuda::each_four(e, blockIdx.x, [&](int64_t i, int n) {
    cuda::Four sum = {};
    if (e.x) sum = cuda::load_four(e.x, e.x_type, i, n, e.packed);
    const cuda::Four y = cuda::load_four(e.y, e.y_type, i, n, e.packed);
#pragma unroll
    for (int j = 0; j < 4; ++j) sum.at[j] += factor * y.at[j];
    cuda::store_four(e.out, Dtype::f32, i, sum, n, e.packed);
  });
}

struct Square {
  INK_DEVICE float operator()(float x) const { return x * x; }
};
struct NotFinite {
  INK_DEVICE float operator()(float x) const { return fabsf(x) <= 3.402823466e38f ? 0.0f : 1.0f; }
};

// sums[p] = Σ f(x) over piece p. `packed`: x begins at a multiple of 16 bytes.
template <class T, class F>
__global__ void __launch_bounds__(kThreads)
    piece_sums_kernel(const T* x, int64_t n, float* sums, bool packed, F f) {
  INK_SHARED(float, room, [cuda::kWarp]);
  constexpr int P = cuda::kPack<T>;
  const int64_t first = blockIdx.x * cuda::kPiece, left = n - first;
  const int64_t count = left < cuda::kPiece ? left : cuda::kPiece, packs = packed ? count / P : 0;
  using Words = cuda::PackedWords<T>;
  x += first;
  float sum = 0;
  cuda::each_in_flight<4>(
      threadIdx.x, packs, blockDim.x,
      [&](int64_t k) { return Words(cuda::load_pack<T, P>(x + k * P)); },
      [&](const Words& words, int64_t) {
#pragma unroll
        for (int j = 0; j < P; ++j) sum += f(words[j]);
      });
  for (int64_t i = packs * P + threadIdx.x; i < count; i += blockDim.x) sum += f(cuda::widen(x[i]));
  sum = cuda::block_sum(sum, room);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
template <class T, class F>
double sum_of_pieces(const char* name, const T* x, int64_t n, F f) {
  Tensor sums({cuda::pieces_of(n)}, Dtype::f32, Device::cuda);
  cuda::launch(name, piece_sums_kernel<T, F>, {sums.size(), kThreads}, x, n, sums.data<float>(),
               cuda::is_aligned<cuda::kPack<T>>(x), f);
  double total = 0;
  for (const float sum : to_vector<float>(sums)) total += static_cast<double>(sum);
  return total;
}
template <class T>
double sum_of_squares(Cuda, const T* x, int64_t n) {
  return sum_of_pieces("squared_norm", x, n, Square{});
}
template <class T>
double count_not_finite(Cuda, const T* x, int64_t n) {
  return sum_of_pieces("all_finite", x, n, NotFinite{});
}
#endif

}  // namespace

namespace {

// Whether nobody else would notice that the tensor is written where it lies.
bool is_alone(const Tensor& x) {
  return x.is_contiguous() && x.storage()->use_count() == 1 && !x.storage()->borrowed();
}

}  // namespace

void add_gradient(Tensor& into, Tensor g) {
  check(static_cast<bool>(g), "add_gradient: the gradient is an undefined tensor");
  if (!into) {
    into = std::move(g);
    return;
  }
  expect("add_gradient", "the gradient", g, into.dtype(), into.shape());
  Tensor sum = is_alone(into) ? into : empty_like(into);
  const Tensor a = contiguous(into), b = contiguous(g);
  on("add_gradient", sum, [&](auto device, auto t) {
    using T = decltype(t);
    add_elements(device, a.data<T>(), b.data<T>(), sum.data<T>(), sum.size());
  });
  sum.touch();
  into = std::move(sum);
}

void scale_in_place(Tensor& x, double factor) {
  expect_writable("scale_in_place", "x", x);
  on("scale_in_place", x, [&](auto device, auto t) {
    using T = decltype(t);
    scale_elements(device, x.data<T>(), factor, x.size());
  });
  x.touch();
}

double squared_norm(const Tensor& x) {
  const Tensor packed = contiguous(x);
  double sum = 0;
  on("squared_norm", x, [&](auto device, auto t) {
    sum = sum_of_squares(device, packed.data<decltype(t)>(), x.size());
  });
  return sum;
}

bool all_finite(const Tensor& x) {
  const Tensor packed = contiguous(x);
  double bad = 0;
  on("all_finite", x, [&](auto device, auto t) {
    bad = count_not_finite(device, packed.data<decltype(t)>(), x.size());
  });
  return bad == 0;
}

#if INK_CUDA

namespace {

char* address(const Tensor& x) {
  return static_cast<char*>(x.storage()->data()) +
         x.offset() * static_cast<int64_t>(size_of(x.dtype()));
}

// sum = before + factor·g, all contiguous; `before` may be undefined.
SumEntry describe(const Tensor& sum, const Tensor& before, const Tensor& g, int64_t first_piece) {
  const auto in_fours = [](const Tensor& x) { return !x || cuda::in_fours(address(x), x.dtype()); };
  return {.out = address(sum),
          .x = before ? address(before) : nullptr,
          .y = address(g),
          .size = g.size(),
          .first_piece = first_piece,
          .x_type = before ? before.dtype() : Dtype::f32,
          .y_type = g.dtype(),
          .packed = in_fours(sum) && in_fours(before) && in_fours(g)};
}

}  // namespace

void add_gradients(std::span<Tensor> sums, std::span<const Tensor> gradients, double factor) {
  check(sums.size() == gradients.size(), "add_gradients: ", gradients.size(), " gradients for ",
        sums.size(), " sums");
  std::vector<Tensor> read;  // lives until the kernel is launched
  std::vector<SumEntry> entries;
  int64_t pieces = 0;
  for (size_t i = 0; i < sums.size(); ++i) {
    if (!gradients[i]) continue;
    const Tensor g = contiguous(gradients[i]);
    const Tensor before = sums[i] ? contiguous(sums[i]) : Tensor();
    check(!before || before.shape() == g.shape(), "add_gradients: expected ", before.shape(),
          ", got ", g.shape());
    const bool in_place = sums[i] && sums[i].dtype() == Dtype::f32 && is_alone(sums[i]);
    if (!in_place) sums[i] = Tensor(g.shape(), Dtype::f32, Device::cuda);
    sums[i].touch();
    entries.push_back(describe(sums[i], before, g, pieces));
    pieces += cuda::pieces_of(g.size());
    read.insert(read.end(), {g, before});
  }
  if (entries.empty()) return;
  const auto bytes = std::as_bytes(std::span(entries));
  Tensor table({static_cast<int64_t>(bytes.size())}, Dtype::u8, Device::cuda);
  cuda_backend().upload(table.storage()->data(), bytes.data(), bytes.size());
  cuda::launch("add_gradients", sums_kernel, {pieces, cuda::kPieceThreads},
               static_cast<const SumEntry*>(table.storage()->data()),
               static_cast<int>(entries.size()), static_cast<float>(factor));
}

#else

void add_gradients(std::span<Tensor>, std::span<const Tensor>, double) {
  fail_without_kernels("add_gradients");
}

#endif

}  // namespace ink
