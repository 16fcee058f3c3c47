// Gradient sums over micro-batches, their global norm √Σ‖g‖², and clipping.
#include "autograd/gradient_sum.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "tensor/flat.h"
#include "tensor/json.h"
#include "tensor/update.h"

namespace ink {
namespace {

bool on_device(const Parameters& parameters) {
  return parameters.size() > 0 && parameters.begin()->value.device() == Device::cuda;
}

}  // namespace

void GradientSum::add(const Parameters& parameters, Gradients& gradients, double weight) {
  std::vector<Tensor> taken;
  for (const Parameter& p : parameters)
    taken.push_back(p.trainable && weight != 0 ? gradients.take(p.value) : Tensor());
  add(parameters, std::move(taken), weight);
}

void GradientSum::add(const Parameters& parameters, std::vector<Tensor> gradients, double weight) {
  check(parameters.size() == sums_.size() && gradients.size() == sums_.size(),
        "gradient sum: made for ", sums_.size(), " parameters, got ", parameters.size(), " and ",
        gradients.size(), " gradients");
  check(weight >= 0 && std::isfinite(weight),
        "gradient sum: the weight should be a number from 0 on, got ", weight);
  if (weight == 0) return;
  weight_ += weight;
  if (on_device(parameters)) return add_on_device(std::move(gradients), weight);
  for (size_t i = 0; i < sums_.size(); ++i) {
    Tensor g = std::move(gradients[i]);
    if (!g) continue;
    // Two parameters may have been given the same tensor as gradient, and ops may return views.
    const bool alone = g.is_contiguous() && g.storage()->use_count() == 1;
    if (weight != 1) {
      if (!alone) g = clone(g);
      scale_in_place(g, weight);
    }
    add_gradient(sums_[i], std::move(g));
  }
}

// The first gradients are taken as they are, if they count once; the others are added in one
// launch.
void GradientSum::add_on_device(std::vector<Tensor> gradients, double weight) {
  for (size_t i = 0; i < sums_.size(); ++i) {
    if (!sums_[i] && weight == 1) sums_[i] = std::move(gradients[i]);
  }
  add_gradients(sums_, gradients, weight);
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
    check(std::isfinite(square), "", not_finite(p.name));
    squares += square;
  }
  return std::sqrt(squares) / weight_;
}

void GradientSum::sum_over(Communicator& processes, const Parameters& parameters, double unit,
                           std::span<Tensor> numbers) {
  if (processes.size() == 1) return;
  check(parameters.size() == sums_.size(), "gradient sum: made for ", sums_.size(),
        " parameters, got ", parameters.size());
  weight_ *= unit;
  if (processes.joins_devices()) return sum_on_devices(processes, parameters, unit, numbers);
  if (unit != 1) multiply(unit);
  const std::vector<bool> defined = defined_anywhere(processes, parameters);
  write_flat(defined, parameters);
  processes.sum(flat_);
  read_flat(defined, parameters);
}

void GradientSum::multiply(double unit) {
  for (Tensor& sum : sums_) {
    if (!sum) continue;
    sum = converted(sum, wide(sum.dtype()));
    if (sum.storage()->use_count() > 1 || sum.storage()->borrowed())
      sum = clone(sum);  // of another parameter too, or of a recorded step
    scale_in_place(sum, unit);
  }
}

// Gradients and numbers behind each other in one array; afterwards they are views of it.
void GradientSum::sum_on_devices(Communicator& processes, const Parameters& parameters, double unit,
                                 std::span<Tensor> numbers) {
  const std::vector<bool> defined = defined_anywhere(processes, parameters);
  std::vector<FlatPart> parts;
  size_t i = 0;
  for (const Parameter& p : parameters) {
    if (defined[i]) parts.push_back({std::move(sums_[i]), p.value.size(), unit});
    ++i;
  }
  for (Tensor& number : numbers) parts.push_back({std::move(number), 1});
  Flat flat(parts, 4 * processes.size());
  parts.clear();  // the stream still reads them; their memory goes to what comes after it
  processes.sum(flat.values());
  size_t k = 0;
  i = 0;
  for (const Parameter& p : parameters) {
    if (defined[i]) sums_[i] = flat.part(k++, p.value.shape());
    ++i;
  }
  for (Tensor& number : numbers) number = flat.part(k++, {});
}

// And adds up the weights. Arrays of different lengths would be exchanged wrongly, or never.
std::vector<bool> GradientSum::defined_anywhere(Communicator& processes,
                                                const Parameters& parameters) {
  std::string mine;
  for (const Tensor& sum : sums_) mine += sum ? '1' : '0';
  const int64_t elements = parameters.elements();
  const Json message =
      Json::make_object({{"defined", mine}, {"weight", weight_}, {"elements", elements}});
  std::vector<bool> defined(sums_.size());
  weight_ = 0;
  for (const std::string& text : processes.gather(message.to_string())) {
    const Json theirs = parse_json(text, "a message of another process");
    const std::string& marks = theirs.string("defined");
    check(marks.size() == sums_.size(), "gradient sum: made for ", sums_.size(),
          " parameters, another process has ", marks.size());
    check(theirs.integer("elements") == elements, "gradient sum: the parameters have ", elements,
          " elements, those of another process ", theirs.integer("elements"),
          "; start all with the same options, files and version of inkstone");
    for (size_t i = 0; i < marks.size(); ++i) defined[i] = defined[i] || marks[i] == '1';
    weight_ += theirs.real("weight");
  }
  return defined;
}

void GradientSum::write_flat(const std::vector<bool>& defined, const Parameters& parameters) {
  flat_.clear();
  size_t i = 0;
  for (const Parameter& p : parameters) {
    const Tensor& sum = sums_[i];
    if (!defined[i++]) continue;
    const auto size = static_cast<size_t>(p.value.size());
    check(p.value.dtype() != Dtype::f64, "gradient sum: processes exchange gradients in f32, '",
          p.name, "' is ", name_of(p.value.dtype()));
    flat_.resize(flat_.size() + size);
    if (!sum) continue;
    const Tensor f32 = contiguous(to(converted(sum, Dtype::f32), Device::cpu));
    std::copy_n(f32.data<float>(), size, flat_.end() - p.value.size());
  }
}

// Into tensors of their own: two parameters may have been given the same one as gradient.
void GradientSum::read_flat(const std::vector<bool>& defined, const Parameters& parameters) {
  const float* next = flat_.data();
  size_t i = 0;
  for (const Parameter& p : parameters) {
    Tensor& sum = sums_[i];
    if (!defined[i++]) continue;
    const std::span values(next, static_cast<size_t>(p.value.size()));
    sum = to(from(values, p.value.shape()), p.value.device());
    next += p.value.size();
  }
}

void GradientSum::clear() {
  for (Tensor& sum : sums_) sum = Tensor();
  weight_ = 0;
}

std::string not_finite(const std::string& parameter) {
  return "the gradient of '" + parameter +
         "' is not finite; lower the learning rate, or look at the inputs of this step";
}

double clip_factor(double norm, double longest) {
  check(norm >= 0 && longest >= 0, "clip_factor: expected lengths from 0 on, got norm ", norm,
        " and limit ", longest);
  return longest > 0 && norm > longest ? longest / norm : 1;
}

}  // namespace ink
