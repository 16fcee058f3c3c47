// Dropout inside of other ops.
#pragma once
#include "tensor/philox.h"
#include "tensor/tensor.h"

namespace ink {

// x·m/(1 − p), not recorded. Its derivative is itself.
Tensor dropped(const Tensor& x, double p, const Random& random);

}  // namespace ink
