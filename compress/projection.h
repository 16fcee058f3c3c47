// Projection: f(x Wᵀ + b), by which a student's states are brought to the width of its teacher's.
#pragma once
#include <cstdint>
#include <optional>

#include "compress/matches.h"
#include "nn/scope.h"
#include "tensor/tensor.h"

namespace ink {

struct Projection {
  Parameter *weight = nullptr, *bias = nullptr;  // null: none
  Activation activation = Activation::none;

  explicit operator bool() const { return weight != nullptr; }
  // (N, student_size) → (N, teacher_size); x itself where there is none.
  Tensor operator()(const Tensor& x) const;
};

// As `match` describes it, with the parameters scope/weight and scope/bias, so that it is trained
// and kept in checkpoints with the student. A match's learning rate is at the peak of a schedule
// whose peak for the student is `student_rate`. Raises Error where that is not given but needed.
Projection make_projection(const IntermediateMatch& match, const Scope& scope,
                           std::optional<double> student_rate);

}  // namespace ink
