// y = x·m/(1 − p), m = 1 with probability 1 − p, else 0;   dx = dy·m/(1 − p)
//
// Srivastava et al. 2014. Element i (in row-major order) is kept when word i of the stream is at
// least p·2³². The mask is drawn anew in backward rather than stored; it depends on neither strides
// nor threads.
#include <algorithm>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"
#include "tensor/random_words.h"
#include "tensor/simd.h"

#if INK_CUDA
#include "cuda/map.cuh"
#endif

namespace ink {
namespace {

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

// Elements [begin, end) of y = x·m·factor; begin is a multiple of kRandomWords. A dropped NaN is 0.
template <class T>
void mask_range(PhiloxKey key, uint32_t threshold, T factor, const T* x, T* y, int64_t begin,
                int64_t end) {
  uint32_t words[kRandomWords];
  for (int64_t first = begin; first < end; first += kRandomWords) {
    random_words(key, static_cast<uint64_t>(first / 4), words);
    const int64_t count = std::min(kRandomWords, end - first);
#pragma omp simd
    for (int64_t i = 0; i < count; ++i)
      y[first + i] = words[i] >= threshold ? x[first + i] * factor : T{0};
  }
}

template <class T>
void mask(Cpu, PhiloxKey key, uint32_t threshold, double factor, const T* x, T* y, int64_t n) {
  parallel_for(n, 64 * kRandomWords, [&](int64_t begin, int64_t end) {
    simd::run([&] { mask_range(key, threshold, static_cast<T>(factor), x, y, begin, end); });
  });
}

#if INK_CUDA
// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────

// The words of elements [4·block, 4·block + 4) are one block of the cipher.
template <class T>
__global__ void dropout_kernel(PhiloxKey key, uint32_t threshold, float factor, const T* x, T* y,
                               int64_t n, bool packed) {
  constexpr int P = cuda::kPack<T>;
  const int64_t first = cuda::global_thread() * P;
  if (first >= n) return;
  const bool whole = packed && first + P <= n;
  cuda::Pack<T, P> pack;
  if (whole) {
    pack = cuda::load_pack<T, P>(x + first);
  } else {
#pragma unroll
    for (int j = 0; j < P; ++j) pack.at[j] = first + j < n ? x[first + j] : T{};
  }
#pragma unroll
  for (int j = 0; j < P; j += 4) {
    const auto i = static_cast<uint64_t>(first + j) / 4;
    const auto words =
        philox({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0}, key);
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const float kept = cuda::widen(pack.at[j + k]) * factor;
      pack.at[j + k] = cuda::narrow<T>(words[k] >= threshold ? kept : 0.0f);
    }
  }
  if (whole) return cuda::store_pack(y + first, pack);
#pragma unroll
  for (int j = 0; j < P; ++j) {
    if (first + j < n) y[first + j] = pack.at[j];
  }
}

template <class T>
void mask(Cuda, PhiloxKey key, uint32_t threshold, double factor, const T* x, T* y, int64_t n) {
  constexpr int P = cuda::kPack<T>, kThreads = 256;
  const bool packed = cuda::is_aligned<P>(x) && cuda::is_aligned<P>(y);
  cuda::launch("dropout", dropout_kernel<T>, {(n + P * kThreads - 1) / (P * kThreads), kThreads},
               key, threshold, factor, x, y, n, packed);
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

struct Dropout {
  static constexpr const char* name = "dropout";
  struct Saved {
    double p = 0;
    Random random{0};
  };

  // Its own derivative: applied to x in forward, to dy in backward.
  static Tensor masked(const Tensor& x_, double p, const Random& random) {
    const Tensor x = contiguous(x_);
    Tensor y = empty_like(x);
    const auto threshold = static_cast<uint32_t>(p * 0x1p32);
    on(name, x, [&](auto device, auto t) {
      using T = decltype(t);
      mask(device, random.key(), threshold, 1 / (1 - p), x.data<T>(), y.data<T>(), x.size());
    });
    return y;
  }

  static Tensor forward(Saved* saved, const Tensor& x, double p, const Random& random) {
    if (saved) *saved = {p, random};
    return masked(x, p, random);
  }
  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    return {masked(dy, s.p, s.random)};
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

Tensor dropout(const Tensor& x, double p, const Random& random) {
  check(p >= 0 && p < 1, "dropout: p should be in [0, 1), got ", p);
  check(x && is_float(x.dtype()), "dropout: expected f32 or f64, got ",
        x ? name_of(x.dtype()) : "an undefined tensor");
  return p == 0 ? x : apply<Dropout>(x, p, random);
}

}  // namespace ink
