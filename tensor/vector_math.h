// exp, log, tanh, erf, sigmoid, the GELU family: inline functions of one number without branches,
// for the CPU and for kernels of other devices.
//
// A plain loop over them under `#pragma omp simd` becomes vector code (simd.h). f32: polynomials
// fitted by tools/fit_vector_math.py; on the CPU additions and products are never fused, so the
// bits are the same at every instruction set. f64: the standard library's accuracy.
//
// Largest errors in f32 over all finite x, against double (ulp: units in the last place):
//
//   exp                                      1.0 ulp, subnormal results included
//   log                                      1.0 ulp
//   tanh                                     1.3 ulp
//   erf                                      2.1 ulp
//   sigmoid                                  1.5e-7 of the result, down to 1e-37
//   gelu, gelu_tanh                          1.5e-7 of max(1, |x|)
//   gelu_derivative, gelu_tanh_derivative    2.0e-7
//
// On a CUDA device e^x, 2^x and quotients are its own, some 2 ulp each at a third of the cost; the
// errors above become about twice as large.
//
// NaN gives NaN; ±inf gives the limit.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "tensor/activation.h"
#include "tensor/device.h"

#define INK_INLINE INK_BOTH [[gnu::always_inline]] inline

namespace ink::vmath {

// f32 only, like all that has no overload of double below. NaN passes through these two.
INK_INLINE float at_most(float x, float high) { return x > high ? high : x; }
INK_INLINE float at_least(float x, float low) { return x < low ? low : x; }
INK_INLINE float absolute(float x) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0x7fffffffu);
}
INK_INLINE float with_sign_of(float magnitude, float sign) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) |
                              (std::bit_cast<uint32_t>(sign) & 0x80000000u));
}

// Σ c[i] xⁱ by halves (Estrin's scheme): low + x^P·high with P a power of two, so that the halves
// are computed side by side.
template <int N>
INK_INLINE float halves(const float* c, const float* powers) {
  if constexpr (N == 1) {
    return c[0];
  } else {
    constexpr int level = std::bit_width(static_cast<unsigned>(N - 1)) - 1, low = 1 << level;
    return halves<low>(c, powers) + powers[level] * halves<N - low>(c + low, powers);
  }
}

template <int N>
INK_INLINE float polynomial(const float (&c)[N], float x) {
  const float x2 = x * x, x4 = x2 * x2, powers[] = {x, x2, x4, x4 * x4};
  return halves<N>(c, powers);
}

// Adding it rounds to an integer, which is then found in the lowest bits.
inline constexpr float kRounder = 0x1.8p23f;

// e^r · 2^n for |r| ≤ ln 2 / 2, where `rounded` is n + kRounder. Two factors reach subnormal
// results and infinity.
INK_INLINE float exp_scaled(float r, float rounded) {
  constexpr float q[] = {0.4999999345f, 0.1666652063f, 0.04166838805f, 0.008368716878f,
                         0.001381459853f};
  const float y = 1 + (r + r * r * polynomial(q, r));
  const int32_t n =
      static_cast<int32_t>(std::bit_cast<uint32_t>(rounded) - std::bit_cast<uint32_t>(kRounder));
  const int32_t half = n >> 1;
  const auto power = [](int32_t i) {
    return std::bit_cast<float>((static_cast<uint32_t>(i) + 127u) << 23);
  };
  return y * power(half) * power(n - half);
}

// a / b for b ≥ 1
INK_INLINE float quotient(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fdividef(a, b);
#else
  return a / b;
#endif
}

INK_INLINE float exp(float x) {
#if defined(__CUDA_ARCH__)
  return ::expf(x);
#else
  x = at_least(at_most(x, 89.0f), -104.0f);  // beyond, the result is infinity or 0 all the same
  const float rounded = x * 1.4426950409f + kRounder;
  const float n = rounded - kRounder;
  return exp_scaled((x - n * 0.693359375f) - n * -2.12194440e-4f,
                    rounded);  // ln 2 in two parts, the first exact
#endif
}

// 2^x for |x| ≤ 160
INK_INLINE float exp2(float x) {
#if defined(__CUDA_ARCH__)
  return ::exp2f(x);
#else
  const float rounded = x + kRounder;
  return exp_scaled((x - (rounded - kRounder)) * 0.6931471806f, rounded);
#endif
}

// x = 2^n·(1 + f), 1 + f in [√½, √2)
INK_INLINE float log(float x) {
  constexpr float q[] = {0.333333126f,   -0.250000096f,  0.2000211865f,
                         -0.1666799588f, 0.1421955252f,  -0.1240558849f,
                         0.1188816074f,  -0.1167565414f, 0.06746646875f};
  const bool subnormal = x < 0x1p-126f;
  const float scaled = x * (subnormal ? 0x1p23f : 1.0f);
  const uint32_t bits = std::bit_cast<uint32_t>(scaled) - 0x3f3504f3u;  // √½
  const float n = static_cast<float>(static_cast<int32_t>(bits) >> 23) - (subnormal ? 23.0f : 0.0f);
  const float f = std::bit_cast<float>((bits & 0x007fffffu) + 0x3f3504f3u) - 1;
  const float square = f * f;
  float y =
      f * square * polynomial(q, f) + n * -2.12194440e-4f - 0.5f * square + f + n * 0.693359375f;
  y = x > 0x1.fffffep127f ? x : y;
  y = x == 0 ? -__builtin_inff() : y;
  y = x < 0 ? __builtin_nanf("") : y;
  return x != x ? x : y;
}

INK_INLINE float tanh(float x) {
  constexpr float q[] = {-0.3333328404f, 0.1333149369f, -0.05374366327f, 0.02065105147f,
                         -0.005717504258f};
  const float z = x * x, t = absolute(x);
  const float near_zero = t + t * (z * polynomial(q, z)), far = 1 - quotient(2, exp(2 * t) + 1);
  return with_sign_of(t < 0.625f ? near_zero : far, x);
}

INK_INLINE float sigmoid(float x) { return quotient(1, 1 + exp(-x)); }

// Q(t) = erfc(t/√2)/2, the normal distribution's upper tail, for t ≥ 0
INK_INLINE float tail(float t) {
  constexpr float q[] = {-1.151106897f,    -0.459192626f,     -0.05253288892f, 0.007079510618f,
                         -9.747998971e-5f, -0.0002427812157f, 7.074862038e-5f, -1.153634717e-5f,
                         1.229592651e-6f,  -8.70516117e-8f,   3.946601324e-9f, -1.036853383e-10f,
                         1.199812575e-12f};
  t = at_most(t, 14.5f);  // Q(14.5) is 0 in f32
  return exp2(t * polynomial(q, t) - 1);
}

INK_INLINE float erf(float x) {
  constexpr float q[] = {0.1283791659f,   -0.3761262714f,   0.1128360018f,  -0.02685444457f,
                         0.005189535313f, -0.000802084114f, 7.889119239e-5f};
  const float t = absolute(x);
  const float near_zero = t + t * polynomial(q, at_most(t * t, 1.0f));
  const float far = 1 - 2 * tail(t * 1.4142135624f);
  return with_sign_of(t < 1 ? near_zero : far, x);
}

// x·Φ(x) = max(x, 0) − |x|·Q(|x|) keeps its digits where Φ is small.
INK_INLINE float gelu(float x) {
  const float t = absolute(x);
  return (x > 0 ? x : 0.0f) - at_most(t, 14.5f) * tail(t);
}

// Φ(x) + x·φ(x)
INK_INLINE float gelu_derivative(float x) {
  const float t = at_most(absolute(x), 14.5f), upper = tail(t);
  const float density = 0.3989422804f * exp(-0.5f * t * t);
  return (x > 0 ? 1 - upper : upper) + with_sign_of(t * density, x);
}

// x·σ(2u), u = √(2/π)(x + 0.044715x³), which is ½x(1 + tanh u)
INK_INLINE float gelu_tanh(float x) {
  const float y = at_least(x, -12.0f);  // the result is 0 from there on
  return y * sigmoid(1.5957691216f * y * (1 + 0.044715f * y * y));
}

// σ(2u) + x·σ(2u)(1 − σ(2u))·2u′
INK_INLINE float gelu_tanh_derivative(float x) {
  const float y = at_least(at_most(x, 12.0f), -12.0f);
  const float s = sigmoid(1.5957691216f * y * (1 + 0.044715f * y * y));
  const float t = sigmoid(-1.5957691216f * y * (1 + 0.044715f * y * y));
  return s + y * s * t * (1.5957691216f * (1 + 0.134145f * y * y));
}

INK_INLINE float relu(float x) { return x < 0 ? 0.0f : x; }

// ── f64 ─────────────────────────────────────────────────────────────────────────────────────────

INK_INLINE double exp(double x) { return std::exp(x); }
INK_INLINE double log(double x) { return std::log(x); }
INK_INLINE double tanh(double x) { return std::tanh(x); }
INK_INLINE double erf(double x) { return std::erf(x); }
INK_INLINE double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
INK_INLINE double relu(double x) { return x < 0 ? 0.0 : x; }

INK_BOTH inline double gelu(double x) {
  const double y = x < -40 ? -40 : x;  // the result is 0 from there on
  return 0.5 * y * std::erfc(y * -0.70710678118654752);
}
INK_BOTH inline double gelu_derivative(double x) {
  const double y = x < -40 ? -40 : x > 40 ? 40 : x;
  return 0.5 * std::erfc(y * -0.70710678118654752) +
         y * 0.39894228040143268 * std::exp(-0.5 * y * y);
}
INK_BOTH inline double gelu_tanh(double x) {
  const double y = x < -40 ? -40 : x;
  return y * sigmoid(1.5957691216057308 * y * (1 + 0.044715 * y * y));
}
INK_BOTH inline double gelu_tanh_derivative(double x) {
  const double y = x < -40 ? -40 : x > 40 ? 40 : x;
  const double u2 = 1.5957691216057308 * y * (1 + 0.044715 * y * y);
  const double s = sigmoid(u2);
  return s + y * s * sigmoid(-u2) * (1.5957691216057308 * (1 + 0.134145 * y * y));
}

// ── the activations as types ────────────────────────────────────────────────────────────────────

struct Identity {
  template <class T>
  INK_INLINE T operator()(T x) const {
    return x;
  }
  template <class T>
  INK_INLINE static T derivative(T) {
    return T{1};
  }
};

struct Relu {
  template <class T>
  INK_INLINE T operator()(T x) const {
    return relu(x);
  }
  template <class T>
  INK_INLINE static T derivative(T x) {
    return x > 0 ? T{1} : T{0};
  }
};

struct Gelu {
  template <class T>
  INK_INLINE T operator()(T x) const {
    return gelu(x);
  }
  template <class T>
  INK_INLINE static T derivative(T x) {
    return gelu_derivative(x);
  }
};

struct GeluTanh {
  template <class T>
  INK_INLINE T operator()(T x) const {
    return gelu_tanh(x);
  }
  template <class T>
  INK_INLINE static T derivative(T x) {
    return gelu_tanh_derivative(x);
  }
};

struct Tanh {
  template <class T>
  INK_INLINE T operator()(T x) const {
    return tanh(x);
  }
  template <class T>
  INK_INLINE static T derivative(T x) {
    const T y = tanh(x);
    return 1 - y * y;
  }
};

struct Sigmoid {
  template <class T>
  INK_INLINE T operator()(T x) const {
    return sigmoid(x);
  }
  template <class T>
  INK_INLINE static T derivative(T x) {
    const T y = sigmoid(x);
    return y * (1 - y);
  }
};

// Calls f with the activation as one of these types, so that a kernel is compiled for each.
template <class F>
void with(Activation activation, const F& f) {
  switch (activation) {
    case Activation::none: return f(Identity{});
    case Activation::relu: return f(Relu{});
    case Activation::gelu: return f(Gelu{});
    case Activation::gelu_tanh: return f(GeluTanh{});
    case Activation::tanh: return f(Tanh{});
    case Activation::sigmoid: return f(Sigmoid{});
  }
}

}  // namespace ink::vmath
#undef INK_INLINE
