// Projections as parameters of the student's store.
#include "compress/projection.h"

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {

Tensor Projection::operator()(const Tensor& x) const {
  return weight ? linear(x, weight->value, bias->value, activation) : x;
}

Projection make_projection(const IntermediateMatch& match, const Scope& scope,
                           std::optional<double> student_rate) {
  if (!match.projected()) return {};
  Projection made{.weight = &scope.param("weight", {match.teacher_size, match.student_size},
                                         Initial::normal(0.02)),
                  .bias = &scope.param("bias", {match.teacher_size}, Initial::zeros()),
                  .activation = match.projection};
  for (Parameter* p : {made.weight, made.bias}) p->weight_decay = match.projection_decay;
  if (!match.projection_rate) return made;
  check(student_rate && *student_rate > 0, "distill: ", scope.path(), " learns at ",
        *match.projection_rate, "; expected a learning rate above 0 of the student beside it");
  for (Parameter* p : {made.weight, made.bias}) p->rate = *match.projection_rate / *student_rate;
  return made;
}

}  // namespace ink
