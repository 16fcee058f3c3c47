// Temperatures that differ from row to row (Ding et al. 2019, arXiv 1911.07471): rows that are
// harder for the student get a lower one, so that they weigh more.
//
//   none             τ = T₀
//   flsw(β, γ)       w = (1 − cos)^γ, cos between the row's logits of student and teacher
//   cwsm(β)          w = 1/(max softmax(S) + 10⁻³)
//   τ = T₀ + β·(mean(w) − w), the mean over the rows at hand
//
// Lengths in flsw are measured plus 10⁻⁴, as TextBrewer does. The mean makes τ depend on which rows
// stand together. With a large β it may fall to 0 and below; here it stays at T₀/10 at least,
// unless it is not `bounded`, as TextBrewer's is not.
#pragma once
#include <cstdint>

#include "tensor/tensor.h"

namespace ink {

struct TemperatureSchedule {
  enum class Kind : uint8_t { none, flsw, cwsm };
  Kind kind = Kind::none;
  double beta = 1, gamma = 1;  // gamma: of flsw
};

// τ for each row of logits (…, C): (rows), of their type. Not recorded.
Tensor row_temperatures(const TemperatureSchedule& schedule, const Tensor& student,
                        const Tensor& teacher, double base, bool bounded = true);

}  // namespace ink
