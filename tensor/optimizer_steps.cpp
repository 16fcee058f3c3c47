// One pass over parameter, gradient and moments for each step; LAMB takes two. Both devices share
// the formulas of an element.
#include "tensor/optimizer_steps.h"

#include <cmath>

#include "tensor/expect.h"
#include "tensor/in_place.h"
#include "tensor/op.h"

#if INK_CUDA
#include "cuda/pieces.cuh"
#endif

namespace ink {
namespace {

// AdamStep in the tensor's type, with the bias corrections as factors.
template <class T>
struct AdamFactors {
  T beta1, beta2, rest1, rest2, correct1, correct2, epsilon, decay, scale;

  explicit AdamFactors(const AdamStep& s)
      : beta1(static_cast<T>(s.beta1)),
        beta2(static_cast<T>(s.beta2)),
        rest1(static_cast<T>(1 - s.beta1)),
        rest2(static_cast<T>(1 - s.beta2)),
        correct1(static_cast<T>(
            s.bias_correction ? 1 / (1 - std::pow(s.beta1, static_cast<double>(s.t))) : 1)),
        correct2(static_cast<T>(
            s.bias_correction ? 1 / (1 - std::pow(s.beta2, static_cast<double>(s.t))) : 1)),
        epsilon(static_cast<T>(s.epsilon)),
        decay(static_cast<T>(s.weight_decay)),
        scale(static_cast<T>(s.gradient_scale)) {}

  // Updates the moments with one element of the gradient.
  INK_BOTH void accumulate(T gradient, T& m, T& v) const {
    const T g = scale * gradient;
    m = beta1 * m + rest1 * g;
    v = beta2 * v + rest2 * (g * g);
  }
  // u, the direction that the learning rate multiplies.
  INK_BOTH T direction(T w, T m, T v) const {
    return correct1 * m / (std::sqrt(correct2 * v) + epsilon) + decay * w;
  }
};

// ── CPU ─────────────────────────────────────────────────────────────────────────────────────────

void expect_adam(const char* name, const Tensor& w, const Tensor& g, const Tensor& m,
                 const Tensor& v, const AdamStep& step) {
  check(step.t >= 1, "", name, ": steps count from 1, got t = ", step.t);
  expect_writable(name, "the parameter", w);
  expect(name, "the gradient", g, w.dtype(), w.shape());
  expect(name, "the first moment", m, w.dtype(), w.shape());
  expect(name, "the second moment", v, w.dtype(), w.shape());
  expect_writable(name, "the first moment", m);
  expect_writable(name, "the second moment", v);
}

}  // namespace

void adamw_update(Tensor& w, const Tensor& g, Tensor& m, Tensor& v, const AdamStep& step) {
  expect_adam("adamw", w, g, m, v, step);
  const Tensor gradient = contiguous(g);
  on_cpu("adamw", w, [&](auto, auto t) {
    using T = decltype(t);
    const AdamFactors<T> factors(step);
    const T rate = static_cast<T>(step.learning_rate), *in = gradient.data<T>();
    T *weight = w.data<T>(), *first = m.data<T>(), *second = v.data<T>();
    for_each_chunk(w.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        T a = first[i], b = second[i];
        factors.accumulate(in[i], a, b);
        first[i] = a, second[i] = b;
        weight[i] -= rate * factors.direction(weight[i], a, b);
      }
    });
  });
  w.touch(), m.touch(), v.touch();
}

void lamb_update(Tensor& w, const Tensor& g, Tensor& m, Tensor& v, const AdamStep& step,
                 bool trust_ratio) {
  if (!trust_ratio) return adamw_update(w, g, m, v, step);
  expect_adam("lamb", w, g, m, v, step);
  const Tensor gradient = contiguous(g);
  on_cpu("lamb", w, [&](auto, auto t) {
    using T = decltype(t);
    const AdamFactors<T> factors(step);
    const T* in = gradient.data<T>();
    T *weight = w.data<T>(), *first = m.data<T>(), *second = v.data<T>();
    const double w_norm = std::sqrt(sum_in_f64(w.size(), square_of<T>(weight)));
    const double u_norm = std::sqrt(sum_in_f64(w.size(), [=](int64_t i) {
      T a = first[i], b = second[i];
      factors.accumulate(in[i], a, b);
      first[i] = a, second[i] = b;
      const auto u = static_cast<double>(factors.direction(weight[i], a, b));
      return u * u;
    }));
    const double ratio = w_norm > 0 && u_norm > 0 ? w_norm / u_norm : 1;
    const T rate = static_cast<T>(step.learning_rate * ratio);
    for_each_chunk(w.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        weight[i] -= rate * factors.direction(weight[i], first[i], second[i]);
    });
  });
  w.touch(), m.touch(), v.touch();
}

void sgd_update(Tensor& w, const Tensor& g, Tensor& m, const SgdStep& step) {
  expect_writable("sgd", "the parameter", w);
  expect("sgd", "the gradient", g, w.dtype(), w.shape());
  expect("sgd", "the momentum", m, w.dtype(), w.shape());
  expect_writable("sgd", "the momentum", m);
  const Tensor gradient = contiguous(g);
  on_cpu("sgd", w, [&](auto, auto t) {
    using T = decltype(t);
    const T rate = static_cast<T>(step.learning_rate), momentum = static_cast<T>(step.momentum),
            decay = static_cast<T>(step.weight_decay), factor = static_cast<T>(step.gradient_scale);
    const T* in = gradient.data<T>();
    T *weight = w.data<T>(), *velocity = m.data<T>();
    for_each_chunk(w.size(), [=](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        velocity[i] = momentum * velocity[i] + (factor * in[i] + decay * weight[i]);
        weight[i] -= rate * velocity[i];
      }
    });
  });
  w.touch(), m.touch();
}

// ── CUDA ────────────────────────────────────────────────────────────────────────────────────────

#if INK_CUDA
namespace {

using cuda::Four;
using View = StepControl::View;

// What the parameters have in common; `of` adds what a part's own t and the step's decision say.
struct AdamOnDevice {
  AdamFactors<float> common;
  float log_beta1, log_beta2;
  bool bias_correction;

  explicit AdamOnDevice(const AdamStep& s)
      : common(s),
        log_beta1(static_cast<float>(std::log(s.beta1))),
        log_beta2(static_cast<float>(std::log(s.beta2))),
        bias_correction(s.bias_correction) {}

  INK_DEVICE AdamFactors<float> of(const PartEntry& part, const View& step) const {
    AdamFactors<float> f = common;
    const auto t = static_cast<float>(step.steps[part.number]);
    f.correct1 = bias_correction ? -1 / expm1f(t * log_beta1) : 1.0f;  // 1/(1 − βᵗ)
    f.correct2 = bias_correction ? -1 / expm1f(t * log_beta2) : 1.0f;
    f.decay = part.weight_decay;
    f.scale = step.factor();
    return f;
  }
};

// A copy: stores could change an entry, for all that the compiler knows.
INK_DEVICE PartEntry part_of(const View& step, int64_t piece) {
  return step.parts[cuda::entry_of(step.parts, step.count, piece)];
}

// Elements i, …, i + n − 1 of an f32 array of the part, and of its gradient.
INK_DEVICE Four load(const PartEntry& part, const float* x, int64_t i, int n) {
  return cuda::load_four(x, Dtype::f32, i, n, part.packed);
}
INK_DEVICE void store(const PartEntry& part, float* x, int64_t i, int n, const Four& four) {
  cuda::store_four(x, Dtype::f32, i, four, n, part.packed);
}
INK_DEVICE Four load_gradient(const PartEntry& part, int64_t i, int n) {
  return cuda::load_four(part.g, part.gradient_type, i, n, part.packed);
}
INK_DEVICE Four four_of(const cuda::Pack<float, 4>& pack) {
  return {{pack.at[0], pack.at[1], pack.at[2], pack.at[3]}};
}
// Of the parameter, and of its master where it has one.
INK_DEVICE void store_weight(const PartEntry& part, int64_t i, int n, const Four& four) {
  store(part, part.weight, i, n, four);
  if (part.weight != part.w) cuda::store_four(part.w, part.type, i, four, n, part.packed);
}

// A piece of a part whose gradient is of type G, several fours at a time.
template <class G>
INK_DEVICE void adamw_piece(const PartEntry part, int64_t piece, const AdamFactors<float> factors,
                            float rate) {
  constexpr int U = 2;
  const auto change = [&](float g, float& m, float& v, float& w) {
    factors.accumulate(g, m, v);
    w -= rate * factors.direction(w, m, v);
  };
  const auto whole = [&](int64_t i, int64_t step) {
    const cuda::Fours<U, G> g(static_cast<const G*>(part.g), i, step);
    cuda::Fours<U, float> m(part.m, i, step), v(part.v, i, step), w(part.weight, i, step);
#pragma unroll
    for (int j = 0; j < 4 * U; ++j) {
      change(cuda::widen(g.at[j / 4].at[j % 4]), m.at[j / 4].at[j % 4], v.at[j / 4].at[j % 4],
             w.at[j / 4].at[j % 4]);
    }
    m.store(part.m, i, step);
    v.store(part.v, i, step);
    w.store(part.weight, i, step);
    if (part.weight == part.w) return;
#pragma unroll
    for (int u = 0; u < U; ++u)
      cuda::store_four(part.w, part.type, i + u * step, four_of(w.at[u]), 4, true);
  };
  const auto rest = [&](int64_t i, int n) {
    const Four g = load_gradient(part, i, n);
    Four m = load(part, part.m, i, n), v = load(part, part.v, i, n),
         w = load(part, part.weight, i, n);
#pragma unroll
    for (int j = 0; j < 4; ++j) change(g.at[j], m.at[j], v.at[j], w.at[j]);
    store(part, part.m, i, n, m);
    store(part, part.v, i, n, v);
    store_weight(part, i, n, w);
  };
  cuda::each_fours<U>(part, piece, whole, rest);
}

__global__ void adamw_kernel(View step, AdamOnDevice adam) {
  if (!step.good()) return;
  const PartEntry part = part_of(step, blockIdx.x);
  const AdamFactors<float> factors = adam.of(part, step);
  cuda::with_storage(part.gradient_type, [&](auto g) {
    adamw_piece<decltype(g)>(part, blockIdx.x, factors, step.learning_rate() * part.rate);
  });
}

// Updates the moments; squares[2p] and squares[2p + 1] are Σ w² and Σ u² over piece p.
__global__ void lamb_moments_kernel(View step, AdamOnDevice adam, float* squares) {
  INK_SHARED(float, room, [cuda::kWarp]);
  if (!step.good()) return;  // the whole grid
  const int64_t piece = blockIdx.x;
  const PartEntry part = part_of(step, piece);
  const AdamFactors<float> factors = adam.of(part, step);
  float of_w = 0, of_u = 0;
  cuda::each_four(part, piece, [&](int64_t i, int n) {
    const Four g = load_gradient(part, i, n), w = load(part, part.weight, i, n);
    Four m = load(part, part.m, i, n), v = load(part, part.v, i, n);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (j >= n) break;
      factors.accumulate(g.at[j], m.at[j], v.at[j]);
      const float u = factors.direction(w.at[j], m.at[j], v.at[j]);
      of_w += w.at[j] * w.at[j];
      of_u += u * u;
    }
    store(part, part.m, i, n, m);
    store(part, part.v, i, n, v);
  });
  of_w = cuda::block_sum(of_w, room);
  of_u = cuda::block_sum(of_u, room);
  if (threadIdx.x == 0) squares[2 * piece] = of_w, squares[2 * piece + 1] = of_u;
}

// ratios[k] = ‖w‖/‖u‖ of part k, one block each; 1 where a norm is 0 or no trust ratio is wanted.
__global__ void lamb_ratio_kernel(View step, const float* squares, float* ratios) {
  INK_SHARED(float, room, [cuda::kWarp]);
  if (!step.good()) return;
  const PartEntry part = step.parts[blockIdx.x];
  const int64_t pieces = cuda::pieces_of(part.size);
  float of_w = 0, of_u = 0;
  for (int64_t p = threadIdx.x; p < pieces; p += blockDim.x) {
    of_w += squares[2 * (part.first_piece + p)];
    of_u += squares[2 * (part.first_piece + p) + 1];
  }
  of_w = cuda::block_sum(of_w, room);
  of_u = cuda::block_sum(of_u, room);
  if (threadIdx.x == 0)
    ratios[blockIdx.x] = part.ratio && of_w > 0 && of_u > 0 ? sqrtf(of_w) / sqrtf(of_u) : 1.0f;
}

// w ← w − rate·ratio·u, with u from the moments once more.
__global__ void lamb_kernel(View step, AdamOnDevice adam, const float* ratios) {
  if (!step.good()) return;
  const int k = cuda::entry_of(step.parts, step.count, blockIdx.x);
  const PartEntry part = step.parts[k];
  const AdamFactors<float> factors = adam.of(part, step);
  const float rate = step.learning_rate() * part.rate * ratios[k];
  cuda::each_four(part, blockIdx.x, [&](int64_t i, int n) {
    const Four m = load(part, part.m, i, n), v = load(part, part.v, i, n);
    Four w = load(part, part.weight, i, n);
#pragma unroll
    for (int j = 0; j < 4; ++j) w.at[j] -= rate * factors.direction(w.at[j], m.at[j], v.at[j]);
    store_weight(part, i, n, w);
  });
}

__global__ void sgd_kernel(View step, float momentum) {
  if (!step.good()) return;
  const PartEntry part = part_of(step, blockIdx.x);
  const float rate = step.learning_rate() * part.rate, factor = step.factor(),
              decay = part.weight_decay;
  cuda::each_four(part, blockIdx.x, [&](int64_t i, int n) {
    const Four g = load_gradient(part, i, n);
    Four velocity = load(part, part.m, i, n), w = load(part, part.weight, i, n);
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      velocity.at[j] = momentum * velocity.at[j] + (factor * g.at[j] + decay * w.at[j]);
      w.at[j] -= rate * velocity.at[j];
    }
    store(part, part.m, i, n, velocity);
    store_weight(part, i, n, w);
  });
}

cuda::Grid grid_of(const View& step) { return {step.pieces, cuda::kPieceThreads}; }

}  // namespace

void adamw_update(const StepControl& control, const AdamStep& step) {
  const View view = control.view();
  cuda::launch("adamw", adamw_kernel, grid_of(view), view, AdamOnDevice(step));
}

void lamb_update(const StepControl& control, const AdamStep& step) {
  const View view = control.view();
  const AdamOnDevice adam(step);
  Tensor squares({view.pieces, 2}, Dtype::f32, Device::cuda);
  Tensor ratios({view.count}, Dtype::f32, Device::cuda);
  cuda::launch("lamb_moments", lamb_moments_kernel, grid_of(view), view, adam,
               squares.data<float>());
  cuda::launch("lamb_ratio", lamb_ratio_kernel, {view.count, cuda::kPieceThreads}, view,
               squares.data<float>(), ratios.data<float>());
  cuda::launch("lamb", lamb_kernel, grid_of(view), view, adam, ratios.data<float>());
}

void sgd_update(const StepControl& control, const SgdStep& step) {
  const View view = control.view();
  cuda::launch("sgd", sgd_kernel, grid_of(view), view, static_cast<float>(step.momentum));
}

#else

void adamw_update(const StepControl&, const AdamStep&) { fail_without_kernels("adamw"); }
void lamb_update(const StepControl&, const AdamStep&) { fail_without_kernels("lamb"); }
void sgd_update(const StepControl&, const SgdStep&) { fail_without_kernels("sgd"); }

#endif

}  // namespace ink
