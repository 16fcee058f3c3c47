// One optimizer step over all parameters, and its state by name.
#include "autograd/optimizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "tensor/expect.h"
#include "tensor/optimizer_steps.h"

namespace ink {

OptimizerKind optimizer_from(const std::string& name) {
  for (const OptimizerKind kind : {OptimizerKind::adamw, OptimizerKind::lamb, OptimizerKind::sgd}) {
    if (name == name_of(kind)) return kind;
  }
  fail("optimizer: expected adamw, lamb or sgd, got '", name, "'");
}

const char* name_of(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::adamw: return "adamw";
    case OptimizerKind::lamb: return "lamb";
    case OptimizerKind::sgd: return "sgd";
  }
  fail("optimizer: unknown kind ", static_cast<int>(kind));
}

Json OptimizerOptions::to_json() const {
  Json all = Json::make_object({{"optimizer", name_of(kind)}, {"weight_decay", weight_decay}});
  if (kind == OptimizerKind::sgd) {
    all.set("momentum", momentum);
    return all;
  }
  all.set("beta1", beta1);
  all.set("beta2", beta2);
  all.set("epsilon", epsilon);
  all.set("bias_correction", bias_correction);
  return all;
}

Optimizer::Optimizer(const Parameters& parameters, const OptimizerOptions& options)
    : options_(options) {
  const auto share = [](const char* what, double x) {
    check(x >= 0 && x < 1, "optimizer: ", what, " should be in [0, 1), got ", x);
  };
  share("beta1", options.beta1);
  share("beta2", options.beta2);
  share("momentum", options.momentum);
  check(options.epsilon >= 0, "optimizer: epsilon should not be negative, got ", options.epsilon);
  check(options.weight_decay >= 0, "optimizer: weight_decay should not be negative, got ",
        options.weight_decay);
  for (const Parameter& p : parameters) slots_.push_back(slot_of(p));
  make_control();
}

Optimizer::Slot Optimizer::slot_of(const Parameter& p) {
  return {.name = p.name,
          .shape = p.value.shape(),
          .dtype = p.value.dtype(),
          .device = p.value.device()};
}

// Where the parameters are on the CUDA device.
void Optimizer::make_control() {
  const auto on_device = [](const Slot& slot) { return slot.device == Device::cuda; };
  control_.reset();
  if (slots_.empty() || !std::ranges::all_of(slots_, on_device)) return;
  const bool f16 = std::ranges::count(slots_, Dtype::f16, &Slot::dtype) > 0;
  control_ = std::make_unique<StepControl>(slots_.size(), f16);
}

void Optimizer::place(Parameters& parameters, Device device, Dtype dtype) {
  check(dtype == Dtype::f32 ||
            (device == Device::cuda && (dtype == Dtype::f16 || dtype == Dtype::bf16)),
        "optimizer: expected f32 on cpu, and f32, f16 or bf16 on cuda, got ", name_of(dtype),
        " on ", name_of(device));
  const std::vector<int64_t> steps = counts();
  const std::vector<NamedTensor> values = exact(parameters);
  size_t i = 0;
  for (Parameter& p : parameters) {
    Slot& slot = slots_[i];
    const Tensor f32 = to(converted(values[i].value, Dtype::f32), device);
    p.value = dtype == Dtype::f32 ? f32 : converted(f32, dtype);
    slot.master = dtype == Dtype::f32 ? Tensor() : f32;
    slot.dtype = dtype;
    slot.device = device;
    for (Tensor* moment : {&slot.m, &slot.v}) {
      if (*moment) *moment = to(converted(*moment, Dtype::f32), device);
    }
    slot.steps = steps[i++];
  }
  steps_ = steps.back();
  make_control();
  if (control_) control_->restore(steps, control_->loss_scaling());
}

// Of each parameter, then in all.
std::vector<int64_t> Optimizer::counts() const {
  if (control_) return control_->steps();
  std::vector<int64_t> steps;
  for (const Slot& slot : slots_) steps.push_back(slot.steps);
  steps.push_back(steps_);
  return steps;
}

Tensor Optimizer::loss_scale() const {
  return control_ && control_->scales_losses() ? control_->loss_scale() : Tensor();
}

std::vector<NamedTensor> Optimizer::exact(const Parameters& parameters) const {
  check(parameters.size() == slots_.size(), "optimizer: made for ", slots_.size(),
        " parameters, got ", parameters.size());
  std::vector<NamedTensor> all;
  size_t i = 0;
  for (const Parameter& p : parameters) {
    const Slot& slot = slots_[i++];
    all.push_back({p.name, slot.master ? slot.master : p.value});
  }
  return all;
}

// ── a step ──────────────────────────────────────────────────────────────────────────────────────

void Optimizer::check_factors(double learning_rate, double gradient_scale) {
  check(std::isfinite(learning_rate) && learning_rate >= 0,
        "optimizer: the learning rate should be a number from 0 on, got ", learning_rate);
  check(std::isfinite(gradient_scale), "optimizer: the gradient scale is ", gradient_scale);
}

void Optimizer::check_step(const Parameters& parameters, std::span<const Tensor> gradients) const {
  check(parameters.size() == slots_.size(), "optimizer: made for ", slots_.size(),
        " parameters, got ", parameters.size());
  check(gradients.size() == slots_.size(), "optimizer: expected one gradient for each of ",
        slots_.size(), " parameters, got ", gradients.size());
  size_t i = 0;
  for (const Parameter& p : parameters) {
    const Slot& slot = slots_[i];
    check(p.name == slot.name, "optimizer: made for parameter '", slot.name, "', got '", p.name,
          "'");
    if (p.trainable && gradients[i]) check_gradient(p, slot, gradients[i]);
    check(std::isfinite(p.rate) && p.rate >= 0, "optimizer: the factor of the learning rate of '",
          p.name, "' should be a number from 0 on, got ", p.rate);
    check(!p.weight_decay || (std::isfinite(*p.weight_decay) && *p.weight_decay >= 0),
          "optimizer: the weight decay of '", p.name, "' should be a number from 0 on, got ",
          p.weight_decay.value_or(0));
    ++i;
  }
}

void Optimizer::check_gradient(const Parameter& p, const Slot& slot, const Tensor& g) const {
  check(!p.value.storage()->borrowed(), "optimizer: '", p.name,
        "' lies in a mapped file, which is read-only; call Parameters::own() first");
  check(p.value.device() == slot.device, "optimizer: made for '", p.name, "' on ",
        name_of(slot.device), ", got it on ", name_of(p.value.device()),
        "; move parameters with Optimizer::place");
  check(g.device() == slot.device, "optimizer: the gradient of '", p.name, "' is on ",
        name_of(g.device()), ", expected it on ", name_of(slot.device));
  // On the CUDA device sums of micro-batches are f32.
  const bool summed = slot.device == Device::cuda && g.dtype() == Dtype::f32;
  expect(slot.name.c_str(), "the gradient", g, summed ? Dtype::f32 : p.value.dtype(),
         p.value.shape());
}

void Optimizer::step(Parameters& parameters, std::span<const Tensor> gradients,
                     double learning_rate, double gradient_scale) {
  if (control_) {
    return step(parameters, gradients,
                StepSettings{.learning_rate = learning_rate, .share = gradient_scale});
  }
  check_step(parameters, gradients);
  check_factors(learning_rate, gradient_scale);
  size_t i = 0;
  for (Parameter& p : parameters) {
    if (p.trainable && gradients[i])
      update(slots_[i], p, gradients[i], learning_rate, gradient_scale);
    ++i;
  }
  ++steps_;
}

// Moments, and a master, where they are not there yet.
void Optimizer::make_state(Slot& slot, const Parameter& p) const {
  const Dtype type = wide(slot.dtype);
  if (type != slot.dtype && !slot.master) slot.master = converted(p.value, type);
  if (!slot.m) slot.m = zeros(slot.shape, type, slot.device);
  if (!slot.v && options_.kind != OptimizerKind::sgd) slot.v = zeros(slot.shape, type, slot.device);
}

void Optimizer::update(Slot& slot, Parameter& p, const Tensor& gradient, double learning_rate,
                       double gradient_scale) const {
  make_state(slot, p);
  ++slot.steps;
  const double decay = p.decay_with(options_.weight_decay), own_rate = learning_rate * p.rate;
  if (options_.kind == OptimizerKind::sgd) {
    return sgd_update(p.value, gradient, slot.m,
                      {.learning_rate = own_rate,
                       .momentum = options_.momentum,
                       .weight_decay = decay,
                       .gradient_scale = gradient_scale});
  }
  const AdamStep step{.learning_rate = own_rate,
                      .beta1 = options_.beta1,
                      .beta2 = options_.beta2,
                      .epsilon = options_.epsilon,
                      .weight_decay = decay,
                      .gradient_scale = gradient_scale,
                      .bias_correction = options_.bias_correction,
                      .t = slot.steps};
  if (options_.kind == OptimizerKind::lamb)
    return lamb_update(p.value, gradient, slot.m, slot.v, step, p.decay);
  adamw_update(p.value, gradient, slot.m, slot.v, step);
}

void Optimizer::step(Parameters& parameters, std::span<const Tensor> gradients,
                     const StepSettings& settings, std::span<const Tensor> losses) {
  check(control_ != nullptr, "optimizer: a step that clips is one of parameters on cuda");
  check_factors(settings.learning_rate, settings.share);
  control_->set(settings);
  step_as_set(parameters, gradients, losses);
}

void Optimizer::step_as_set(Parameters& parameters, std::span<const Tensor> gradients,
                            std::span<const Tensor> losses) {
  check(control_ != nullptr, "optimizer: settings are set for parameters on cuda");
  check_step(parameters, gradients);
  std::vector<ParameterPart> parts;
  size_t i = 0;
  for (Parameter& p : parameters) {
    const size_t k = i++;
    if (!p.trainable || !gradients[k]) continue;
    Slot& slot = slots_[k];
    make_state(slot, p);
    parts.push_back({.w = p.value,
                     .g = contiguous(gradients[k]),
                     .m = slot.m,
                     .v = slot.v,
                     .master = slot.master,
                     .number = static_cast<int32_t>(k),
                     .ratio = p.decay,
                     .rate = p.rate,
                     .weight_decay = p.decay_with(options_.weight_decay)});
  }
  control_->decide(parts, losses);
  const AdamStep adam{.beta1 = options_.beta1,
                      .beta2 = options_.beta2,
                      .epsilon = options_.epsilon,
                      .bias_correction = options_.bias_correction};
  switch (options_.kind) {
    case OptimizerKind::adamw: adamw_update(*control_, adam); break;
    case OptimizerKind::lamb: lamb_update(*control_, adam); break;
    case OptimizerKind::sgd: sgd_update(*control_, {.momentum = options_.momentum});
  }
  for (ParameterPart& part : parts) {
    for (Tensor* written : {&part.w, &part.m, &part.v, &part.master})
      if (*written) written->touch();
  }
}

// ── state ───────────────────────────────────────────────────────────────────────────────────────

namespace {

constexpr const char* kKindKey = "optimizer";  // of the file's metadata
constexpr const char* kLossScale = "loss_scale";

Tensor number(int64_t n) { return from(std::span<const int64_t>(&n, 1), {}); }

}  // namespace

std::vector<NamedTensor> Optimizer::state() const {
  const std::vector<int64_t> steps = counts();
  std::vector<NamedTensor> all = {{"step", number(steps.back())}};
  if (loss_scale()) {
    const std::array<double, 2> scaling = control_->loss_scaling();
    all.push_back({kLossScale, from(std::span<const double>(scaling), {2})});
  }
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.master) all.push_back({slot.name + ".master", slot.master});
    if (!slot.m) continue;
    all.push_back({slot.name + ".step", number(steps[i])});
    all.push_back({slot.name + ".m", slot.m});
    if (slot.v) all.push_back({slot.name + ".v", slot.v});
  }
  return all;
}

void Optimizer::restore(std::span<const NamedTensor> state) {
  std::unordered_map<std::string_view, const Tensor*> by_name;
  for (const NamedTensor& t : state) {
    check(by_name.emplace(t.name, &t.value).second, "optimizer state: '", t.name,
          "' is there twice");
  }
  const auto take = [&](const std::string& name, Dtype dtype, const Shape& shape) {
    const auto found = by_name.find(name);
    check(found != by_name.end(), "optimizer state: '", name,
          "' is missing; was it saved by another kind of optimizer, or for another type?");
    expect("optimizer state", name.c_str(), *found->second, dtype, shape);
    Tensor taken = *found->second;
    by_name.erase(found);
    return taken;
  };
  const auto count = [&](const std::string& name) {
    const int64_t n = *take(name, Dtype::i64, {}).data<int64_t>();
    check(n >= 0, "optimizer state: '", name, "' should not be negative, got ", n);
    return n;
  };
  const int64_t steps = count("step");
  std::array<double, 2> scaling = {1, 0};
  if (loss_scale()) {
    const std::vector<double> words = to_vector<double>(take(kLossScale, Dtype::f64, {2}));
    scaling = {words[0], words[1]};
  }
  std::vector<Slot> slots = slots_;
  for (Slot& slot : slots) {
    const Dtype type = wide(slot.dtype);
    const auto copy = [&](const char* what) {
      const Tensor x = take(slot.name + what, type, slot.shape);
      return x.device() == slot.device ? clone(x) : to(x, slot.device);
    };
    slot.m = slot.v = slot.master = Tensor();
    slot.steps = 0;
    if (by_name.contains(slot.name + ".m")) {
      slot.steps = count(slot.name + ".step");
      slot.m = copy(".m");
      if (options_.kind != OptimizerKind::sgd) slot.v = copy(".v");
      if (type != slot.dtype) slot.master = copy(".master");
    } else if (by_name.contains(slot.name + ".master")) {
      slot.master = copy(".master");
    }
  }
  check(by_name.empty(), "optimizer state: '", by_name.empty() ? "" : by_name.begin()->first,
        "' belongs to no parameter of this model");
  slots_ = std::move(slots);
  steps_ = steps;
  if (!control_) return;
  std::vector<int64_t> all;
  for (const Slot& slot : slots_) all.push_back(slot.steps);
  all.push_back(steps);
  control_->restore(all, scaling);
}

void Optimizer::save(const std::filesystem::path& path) const {
  write_safetensors(path, state(), {{kKindKey, name_of(options_.kind)}});
}

void Optimizer::load(const std::filesystem::path& path) {
  const SafeTensors file(path);
  const auto kind = std::ranges::find(file.metadata(), kKindKey, &Metadata::value_type::first);
  check(kind == file.metadata().end() || kind->second == name_of(options_.kind),
        "optimizer: ", path.string(), " is the state of ",
        kind == file.metadata().end() ? "" : kind->second, ", expected that of ",
        name_of(options_.kind));
  std::vector<NamedTensor> all;
  for (const SafeTensors::Entry& entry : file.entries())
    all.push_back({entry.name, file.tensor(entry)});
  restore(all);
}

}  // namespace ink
