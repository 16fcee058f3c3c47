// Losses between hidden states, token by token.
#include "compress/losses/hidden.h"

#include "nn/bert_body.h"
#include "tensor/ops.h"

namespace ink {

Tensor hidden_mse_loss(const Tensor& student, const Tensor& teacher) {
  return mse_loss(student, teacher);
}

Tensor hidden_cos_loss(const Tensor& student, const Tensor& teacher) {
  return cosine_loss(student, teacher);
}

// ‖s/‖s‖ − t/‖t‖‖² = 2·(1 − cos(s, t))
Tensor pkd_loss(const Tensor& student, const Tensor& teacher, const Tensor& offsets) {
  if (!offsets) return scale(cosine_loss(student, teacher), 2);
  const Tensor first = first_rows(offsets);
  return scale(cosine_loss(gather_rows(student, first), gather_rows(teacher, first)), 2);
}

}  // namespace ink
