// dL/dx ≈ (L(x + h) − L(x − h)) / 2h with L = Σ y·dy, for each element of each input.
#include "autograd/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "autograd/tape.h"

namespace ink {
namespace {

using Call = std::function<Tensor(std::span<const Tensor>)>;

// Σ (y₁ − y₂)·dy: differences first, so that large values of y cost no digits.
double difference(const Tensor& y1, const Tensor& y2, const Tensor& dy) {
  const std::vector<double> a = to_vector<double>(y1), b = to_vector<double>(y2),
                            weight = to_vector<double>(dy);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * weight[i];
  return sum;
}

// The derivatives by input k, element by element. Each is moved in a copy of its own, so that the
// caller's tensors, whatever their strides, stay as they are.
std::vector<double> central_differences(const Call& call, std::vector<Tensor> in, size_t k,
                                        const Tensor& dy, double relative_step) {
  in[k] = clone(in[k]);
  double* x = in[k].data<double>();
  std::vector<double> out(static_cast<size_t>(in[k].size()));
  for (size_t i = 0; i < out.size(); ++i) {
    const double middle = x[i], h = relative_step * std::max(1.0, std::abs(middle));
    const double high = middle + h, low = middle - h;
    x[i] = high;
    const Tensor above = clone(call(in));  // a view of the input would move with it
    x[i] = low;
    const Tensor below = clone(call(in));
    x[i] = middle;
    out[i] = difference(above, below, dy) / (high - low);
  }
  return out;
}

void compare(const std::vector<double>& gradient, const std::vector<double>& differences, size_t k,
             GradientCheck& result) {
  double largest = 0;
  for (const double d : differences) largest = std::max(largest, std::abs(d));
  for (size_t i = 0; i < differences.size(); ++i) {
    const double a = gradient[i], b = differences[i];
    const double size = std::max({std::abs(a), std::abs(b), 0.01 * largest, 1e-3});
    const double raw = std::abs(a - b) / size;
    const double error = std::isnan(raw) ? std::numeric_limits<double>::infinity() : raw;
    ++result.compared;
    if (error <= result.worst) continue;
    result.worst = error, result.input = k, result.element = static_cast<int64_t>(i);
    result.gradient = a, result.difference = b;
  }
}

template <class... Parts>
std::string sentence(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

}  // namespace

GradientCheck check_gradients(const Call& call, const std::vector<Tensor>& inputs,
                              const GradientCheckOptions& options) {
  std::vector<Tensor> plain = inputs, watched = inputs;
  for (Tensor& t : plain) t.grad_id = {};
  Tape tape;
  for (size_t k = 0; k < watched.size(); ++k) {
    check(watched[k].dtype() != Dtype::f32, "check_gradients: input ", k,
          " should be f64, got f32");
    if (watched[k].dtype() == Dtype::f64) tape.watch(watched[k]);
  }
  const Tensor y = call(watched);
  check(y.dtype() == Dtype::f64, "check_gradients: the function should return f64, got ",
        name_of(y.dtype()));
  const Tensor dy = randn(y.shape(), 0x9e37);
  const bool depends = tape.resolve(y.grad_id).tape != 0;
  const Gradients gradients = depends ? tape.backward(y, dy) : Gradients(0, {});
  const Pause pause;

  GradientCheck result;
  for (size_t k = 0; k < plain.size(); ++k) {
    if (plain[k].dtype() != Dtype::f64) continue;
    const Tensor& g = gradients[watched[k]];
    if (g && (g.shape() != plain[k].shape() || g.dtype() != Dtype::f64)) {
      result.ok = false, result.worst = std::numeric_limits<double>::infinity(), result.input = k;
      result.message = sentence("input ", k, ": the gradient is ", name_of(g.dtype()), ' ',
                                g.shape(), " for an input of ", plain[k].shape());
      return result;
    }
    // A gradient that is not there stands for zero.
    const std::vector<double> found =
        g ? to_vector<double>(g) : std::vector<double>(static_cast<size_t>(plain[k].size()));
    compare(found, central_differences(call, plain, k, dy, options.step), k, result);
  }
  result.ok = result.worst <= options.tolerance;
  result.message = sentence("input ", result.input, ", element ", result.element, ": gradient ",
                            result.gradient, ", central difference ", result.difference, " (error ",
                            result.worst, ", tolerance ", options.tolerance, ")");
  return result;
}

}  // namespace ink
