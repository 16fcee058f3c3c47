// y = x·m/(1 − p), m = 1 with probability 1 − p, else 0;   dx = dy·m/(1 − p)
//
// Srivastava et al. 2014. Element i (in row-major order) is kept when half word i of the stream is
// at least p·2¹⁶ (tensor/dropout_rule.h). The mask is drawn anew in backward rather than stored; it
// depends on neither strides nor threads.
#include "tensor/ops/dropout.h"

#include <algorithm>

#include "tensor/dropout_rule.h"
#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tensor/random_words.h"
#include "tensor/simd.h"

#if INK_CUDA
#include "cuda/dropped.cuh"
#include "cuda/map.cuh"
#include "cuda/packs.cuh"
#endif

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// Elements [begin, end) of y = x·m/(1 − p); begin is a multiple of kRandomHalves. A dropped NaN
// is 0.
template <class T>
void mask_range(PhiloxKey key, const DropoutRule& rule, const T* x, T* y, int64_t begin,
                int64_t end) {
  uint16_t halves[kRandomHalves];
  const T factor = static_cast<T>(rule.kept);
  for (int64_t first = begin; first < end; first += kRandomHalves) {
    random_halves(key, static_cast<uint64_t>(first / DropoutRule::kInBlock), halves);
    const int64_t count = std::min(kRandomHalves, end - first);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i)
      y[first + i] = halves[i] >= rule.threshold ? x[first + i] * factor : T{0};
  }
}

template <class T>
void mask(Cpu, const Random& random, const DropoutRule& rule, const T* x, T* y, int64_t n) {
  const PhiloxKey key = random.key();
  parallel_for(n, 64 * kRandomHalves, [&](int64_t begin, int64_t end) {
    simd::run([&] { mask_range(key, rule, x, y, begin, end); });
  });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────

// A thread has the eight elements of one block of the cipher: one pack of 16 bits, two of f32.
template <class T>
__global__ void dropout_kernel(StreamKey key, uint32_t threshold, float factor, const T* x, T* y,
                               int64_t n, bool packed) {
  constexpr int P = cuda::kPack<T>, kElements = DropoutRule::kInBlock;
  const int64_t block = cuda::global_thread(), first = block * kElements;
  if (first >= n) return;
  const bool whole = packed && first + kElements <= n;
  cuda::Pack<T, P> packs[kElements / P];
#pragma unroll
  for (int k = 0; k < kElements / P; ++k)
    packs[k] = cuda::load_row_pack<P>(x, first + k * P, n, whole);
  const uint32_t dropped =
      cuda::dropped_of_block(key.get(), static_cast<uint64_t>(block), threshold);
#pragma unroll
  for (int i = 0; i < kElements; ++i) {
    T& v = packs[i / P].at[i % P];
    v = cuda::is_dropped(dropped, i) ? T{} : cuda::narrow<T>(cuda::widen(v) * factor);
  }
#pragma unroll
  for (int i = 0; i < kElements; i += P) {
    if (whole) {
      cuda::store_pack(y + first + i, packs[i / P]);
      continue;
    }
#pragma unroll
    for (int j = 0; j < P; ++j) {
      if (first + i + j < n) y[first + i + j] = packs[i / P].at[j];
    }
  }
}

template <class T>
void mask(Cuda, const Random& random, const DropoutRule& rule, const T* x, T* y, int64_t n) {
  constexpr int P = cuda::kPack<T>, kThreads = 256, kElements = DropoutRule::kInBlock;
  const bool packed = cuda::is_aligned<P>(x) && cuda::is_aligned<P>(y);
  cuda::launch("dropout", dropout_kernel<T>,
               {(n + kElements * kThreads - 1) / (kElements * kThreads), kThreads},
               random.key_for_device(), rule.threshold, static_cast<float>(rule.kept), x, y, n,
               packed);
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct Dropout {
  static constexpr const char* name = "dropout";
  struct Saved {
    double p = 0;
    Random random{0};
  };

  static Tensor forward(Saved* saved, const Tensor& x, double p, const Random& random) {
    if (saved) *saved = {p, random};
    return dropped(x, p, random);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {dropped(dy, s.p, s.random)};
  }

  static std::vector<Sample> samples() {
    std::vector<Sample> all;
    const auto sample = [&](const char* label, Shape shape, double p) {
      all.push_back({.label = label,
                     .in = {randn(shape, 1)},
                     .call = [p](auto in) { return dropout(in[0], p, Random(7)); },
                     .backward = moves(2, shape.size())});
    };
    sample("4x6", {4, 6}, 0.5);
    sample("scalar", {}, 0.25);
    sample("no elements", {0, 3}, 0.1);
    sample("p 0", {2, 3}, 0);
    sample("3x5x67", {3, 5, 67}, 0.1);
    sample("1024x768", {1024, 768}, 0.1);
    all.back().bench = true;
    return all;
  }
};

INK_OPS entries[] = {describe<Dropout>()};

}  // namespace

Tensor dropped(const Tensor& x_, double p, const Random& random) {
  const Tensor x = contiguous(x_);
  Tensor y = empty_like(x);
  on(Dropout::name, x, [&](auto device, auto t) {
    using T = decltype(t);
    mask(device, random, DropoutRule(p), x.data<T>(), y.data<T>(), x.size());
  });
  return y;
}

Tensor dropout(const Tensor& x, double p, const Random& random) {
  check(p >= 0 && p < 1, "dropout: p should be in [0, 1), got ", p);
  check(x && is_float(x.dtype()), "dropout: expected f32 or f64, got ",
        x ? name_of(x.dtype()) : "an undefined tensor");
  return p == 0 ? x : apply<Dropout>(x, p, random);
}

}  // namespace ink
