// Optimizer steps: AdamW, LAMB, SGD with momentum; on the CPU of one parameter, on the CUDA device
// of all of them at once.
//
// They write parameter and moments in place (contiguous, never recorded). On the CPU these are f32
// or f64, and are touched; the gradient g is multiplied by `gradient_scale` first: for clipping,
// and for the mean over micro-batches. On the CUDA device a StepControl has decided about the
// parts, and says what gradients are multiplied by, the learning rate, and t, which it counts for
// each parameter; a part says its factor of the rate and its weight decay. What a step says about
// these is not read. There a parameter may have 16 bits: its master is updated and rounded into it.
#pragma once
#include "tensor/step_control.h"
#include "tensor/tensor.h"

namespace ink {

// One AdamW step (Loshchilov & Hutter 2019, alg. 2), t ≥ 1:
//   m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  w ← w − lr·( m̂/(√v̂ + ε) + λw ).
// With bias correction m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ); without it (Google BERT's variant) m̂ is m
// and v̂ is v.
struct AdamStep {
  double learning_rate = 0, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6;
  double weight_decay = 0, gradient_scale = 1;
  bool bias_correction = true;
  int64_t t = 1;
};
void adamw_update(Tensor& w, const Tensor& g, Tensor& m, Tensor& v, const AdamStep& step);
void adamw_update(const StepControl& control, const AdamStep& step);

// One LAMB step (You et al. 2020, alg. 2): u as in AdamW, w ← w − lr·r·u, r = ‖w‖/‖u‖ when both are
// positive, else 1. trust_ratio false (biases, layer norms) sets r = 1.
void lamb_update(Tensor& w, const Tensor& g, Tensor& m, Tensor& v, const AdamStep& step,
                 bool trust_ratio);
void lamb_update(const StepControl& control, const AdamStep& step);

// SGD with momentum: m ← μm + g + λw;  w ← w − lr·m.
struct SgdStep {
  double learning_rate = 0, momentum = 0, weight_decay = 0, gradient_scale = 1;
};
void sgd_update(Tensor& w, const Tensor& g, Tensor& m, const SgdStep& step);
void sgd_update(const StepControl& control, const SgdStep& step);

}  // namespace ink
