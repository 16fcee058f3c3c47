// GELU and its derivative for results of 16 bits: about 4e-5 of Φ and of the density, at half the
// cost of vector_math.h, so that kernels wait for memory and not for arithmetic.
#pragma once
#include <type_traits>

#include "cuda/ptx.cuh"
#include "tensor/vector_math.h"

namespace ink::cuda {

struct RoughGelu {
  static constexpr const char* name = "gelu";

  // max(x, 0) − |x|·Q(|x|), Q the normal distribution's upper tail
  INK_BOTH float operator()(float x) const {
    const float t = vmath::at_most(vmath::absolute(x), 14.5f);  // Q(14.5) is 0
    return (x > 0 ? x : 0.0f) - t * tail(t, bell(t));
  }
  // Φ(x) + x·φ(x)
  INK_BOTH static float derivative(float x) {
    const float t = vmath::at_most(vmath::absolute(x), 14.5f), e = bell(t), upper = tail(t, e);
    return (x > 0 ? 1 - upper : upper) + vmath::with_sign_of(t * (0.3989422804f * e), x);
  }

 private:
  // e^(−t²/2)
  INK_BOTH static float bell(float t) {
    const float exponent = -0.7213475204f * t * t;
#if defined(__CUDA_ARCH__)
    return exp2_approx(exponent);
#else
    return std::exp2(exponent);
#endif
  }
  // Q(t) = e·s·p(s) with s = 1/(1 + 0.38t) (the form of Hastings 1955; fitted by
  // tools/fit_vector_math.py)
  INK_BOTH static float tail(float t, float e) {
    const float s = vmath::quotient(1, 1 + 0.38f * t);
    const float p =
        0.1512251394f +
        s * (0.1578294473f + s * (0.0919798217f + s * (0.188876372f + s * -0.08992830793f)));
    return e * s * p;
  }
};

// An activation (of vector_math.h) as kernels of T compute it.
template <class T, class F>
using ActivationOf =
    std::conditional_t<sizeof(T) == 2 && std::is_same_v<F, vmath::Gelu>, RoughGelu, F>;

}  // namespace ink::cuda
