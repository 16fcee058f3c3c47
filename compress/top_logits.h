// The k largest of each row's C logits, for outputs that are too wide to be kept whole.
//
//   kept      z_j of the k largest (of equal ones the first) with their indices, and
//             r = log Σ exp z_j over all others
//   restored  z_j of the k where they stood, and r − log(C − k) everywhere else
//
// So softmax of what is restored gives each of the k the probability it had, and spreads the
// remaining mass m evenly over the others, which is the largest entropy that these k allow. It
// differs from the teacher's by KL = Σ p_j·log(p_j·(C − k)/m) over the others, at most
// m·log(C − k). At another temperature the k keep their odds among themselves; the others stay
// even.
#pragma once
#include "tensor/tensor.h"

namespace ink {

struct TopLogits {
  Tensor values;   // f32 (R, k)
  Tensor indices;  // i32 (R, k)
  Tensor rest;     // f32 (R, 1)
};

// logits f32 (R, C), on the host; 0 < k < C. Nothing is recorded.
TopLogits top_logits(const Tensor& logits, int64_t k);
// f32 (R, C). Raises Error for an index outside of [0, C).
Tensor restored(const TopLogits& top, int64_t classes);

}  // namespace ink
