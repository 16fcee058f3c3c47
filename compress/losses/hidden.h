// Losses between hidden states of a student S and a teacher T, of the same packed tokens: (N, C).
//
//   hidden_mse  mean over tokens and channels of (S − T)² (Jiao et al. 2020)
//   cos         mean over tokens of 1 − cos(S, T) (Sanh et al. 2019)
//   pkd         mean over sequences of ‖s/‖s‖ − t/‖t‖‖², s and t of the first tokens (Sun et al.
//               2019)
//
// There is no padding, so these are TextBrewer's losses with an inputs_mask. A state of length 0,
// from which TextBrewer's pkd makes NaN, stands at a right angle to all others.
#pragma once
#include "tensor/tensor.h"

namespace ink {

Tensor hidden_mse_loss(const Tensor& student, const Tensor& teacher);
Tensor hidden_cos_loss(const Tensor& student, const Tensor& teacher);
// offsets: i32 (B + 1); undefined where the states are already one for each sequence.
Tensor pkd_loss(const Tensor& student, const Tensor& teacher, const Tensor& offsets);

}  // namespace ink
