// Gradient sums over micro-batches, their global norm √Σ‖g‖², and clipping.
#include "autograd/gradient_sum.h"

#include <cmath>

#include "tensor/update.h"

namespace ink {

void GradientSum::add(const Parameters& parameters, Gradients& gradients, double weight) {
  check(parameters.size() == sums_.size(), "gradient sum: made for ", sums_.size(),
        " parameters, got ", parameters.size());
  check(weight >= 0 && std::isfinite(weight),
        "gradient sum: the weight should be a number from 0 on, got ", weight);
  if (weight == 0) return;
  weight_ += weight;
  size_t i = 0;
  for (const Parameter& p : parameters) {
    Tensor& sum = sums_[i++];
    Tensor g = p.trainable ? gradients.take(p.value) : Tensor();
    if (!g) continue;
    // Two parameters may have been given the same tensor as gradient, and ops may return views.
    const bool alone = g.is_contiguous() && g.storage()->use_count() == 1;
    if (weight != 1) {
      if (!alone) g = clone(g);
      scale_in_place(g, weight);
    }
    add_gradient(sum, std::move(g));
  }
}

double GradientSum::norm(const Parameters& parameters) const {
  check(parameters.size() == sums_.size(), "gradient sum: made for ", sums_.size(),
        " parameters, got ", parameters.size());
  check(weight_ > 0, "gradient sum: nothing has been added that counts");
  double squares = 0;
  size_t i = 0;
  for (const Parameter& p : parameters) {
    const Tensor& g = sums_[i++];
    if (!g) continue;
    const double square = squared_norm(g);
    check(std::isfinite(square), "the gradient of '", p.name,
          "' is not finite; lower the learning rate, or look at the inputs of this step");
    squares += square;
  }
  return std::sqrt(squares) / weight_;
}

void GradientSum::clear() {
  for (Tensor& sum : sums_) sum = Tensor();
  weight_ = 0;
}

double clip_factor(double norm, double longest) {
  check(norm >= 0 && longest >= 0, "clip_factor: expected lengths from 0 on, got norm ", norm,
        " and limit ", longest);
  return longest > 0 && norm > longest ? longest / norm : 1;
}

}  // namespace ink
