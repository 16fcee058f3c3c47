// Losses between the logits of a student S and a teacher T at temperature τ (Hinton et al. 2015).
//
//   ce          mean over rows of −Σ_c p_c·log q_c,  p = softmax(T/τ), q = softmax(S/τ)
//   kl          mean over rows of Σ_c p_c·(log p_c − log q_c): ce less the teacher's entropy. It
//               has the same gradient and is 0 where the two agree
//   mse         mean over elements of ((S − T)/τ)²
//   bce         mean over elements of −p·log q − (1 − p)·log(1 − q), p = σ(T/τ), q = σ(S/τ): for
//               several labels at once
//   regression  mean over elements of (S − T)²: for tasks whose outputs are the numbers sought
//
// Logits are (…, C); leading axes are rows, so a sequence labeller hands in the logits of its
// tokens. The temperature is a number, or a tensor with one for each row (losses/temperature.h); it
// and the teacher are constants. Raises Error where shapes differ.
#pragma once
#include <cstdint>
#include <span>

#include "tensor/tensor.h"

namespace ink {

enum class KdLoss : uint8_t { ce, mse, kl, bce, regression };

Tensor kd_loss(const Tensor& student, const Tensor& teacher, KdLoss type, double temperature);
// temperatures (rows), positive
Tensor kd_loss(const Tensor& student, const Tensor& teacher, KdLoss type,
               const Tensor& temperatures);
// Of models with several logits, such as the start and the end of a span: the sum.
Tensor kd_loss(std::span<const Tensor> students, std::span<const Tensor> teachers, KdLoss type,
               double temperature);

// The cross entropy with true labels: i32 (rows), or of kd types bce and regression numbers of the
// logits' shape (regression: also (rows) for logits (rows, 1)), which are compared by binary cross
// entropy and by squared differences. Rows of numbers with a NaN have no label and do not count, as
// those of kIgnore do not; where none has one the loss is 0.
Tensor hard_label_loss(const Tensor& logits, const Tensor& labels, KdLoss type = KdLoss::ce);
// Whether any of the labels counts.
bool any_known(const Tensor& labels);

// The teacher's logits with, in each row, the value of the true label and the largest exchanged, so
// that the teacher is never wrong (Wen et al. 2019). labels i32 (rows); rows with a negative label
// stay as they are. Raises Error naming a label that is none. Waits for the device.
Tensor probability_shift(const Tensor& logits, const Tensor& labels);

}  // namespace ink
