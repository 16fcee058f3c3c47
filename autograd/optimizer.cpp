// One optimizer step over all parameters, and its state by name.
#include "autograd/optimizer.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

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
  for (const Parameter& p : parameters) {
    slots_.push_back({.name = p.name, .shape = p.value.shape(), .dtype = p.value.dtype()});
  }
}

void Optimizer::step(Parameters& parameters, std::span<const Tensor> gradients,
                     double learning_rate, double gradient_scale) {
  check(parameters.size() == slots_.size(), "optimizer: made for ", slots_.size(),
        " parameters, got ", parameters.size());
  check(gradients.size() == slots_.size(), "optimizer: expected one gradient for each of ",
        slots_.size(), " parameters, got ", gradients.size());
  check(std::isfinite(learning_rate) && learning_rate >= 0,
        "optimizer: the learning rate should be a number from 0 on, got ", learning_rate);
  check(std::isfinite(gradient_scale), "optimizer: the gradient scale is ", gradient_scale);
  size_t i = 0;
  for (Parameter& p : parameters) {  // all checks before the first write
    const Slot& slot = slots_[i];
    check(p.name == slot.name, "optimizer: made for parameter '", slot.name, "', got '", p.name,
          "'");
    if (p.trainable && gradients[i]) {
      check(!p.value.storage()->borrowed(), "optimizer: '", p.name,
            "' lies in a mapped file, which is read-only; call Parameters::own() first");
      expect(slot.name.c_str(), "the gradient", gradients[i], p.value.dtype(), p.value.shape());
    }
    ++i;
  }
  i = 0;
  for (Parameter& p : parameters) {
    if (p.trainable && gradients[i])
      update(slots_[i], p, gradients[i], learning_rate, gradient_scale);
    ++i;
  }
  ++steps_;
}

void Optimizer::update(Slot& slot, Parameter& p, const Tensor& gradient, double learning_rate,
                       double gradient_scale) const {
  const bool adam = options_.kind != OptimizerKind::sgd;
  if (!slot.m) slot.m = zeros(slot.shape, slot.dtype);
  if (!slot.v && adam) slot.v = zeros(slot.shape, slot.dtype);
  ++slot.steps;
  const double decay = p.decay ? options_.weight_decay : 0;
  if (!adam) {
    return sgd_update(p.value, gradient, slot.m,
                      {.learning_rate = learning_rate,
                       .momentum = options_.momentum,
                       .weight_decay = decay,
                       .gradient_scale = gradient_scale});
  }
  const AdamStep step{.learning_rate = learning_rate,
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

// ── state ───────────────────────────────────────────────────────────────────────────────────────

namespace {

constexpr const char* kKindKey = "optimizer";  // of the file's metadata

Tensor number(int64_t n) { return from(std::span<const int64_t>(&n, 1), {}); }

}  // namespace

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> all = {{"step", number(steps_)}};
  for (const Slot& slot : slots_) {
    if (!slot.m) continue;
    all.push_back({slot.name + ".step", number(slot.steps)});
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
          "' is missing; was it saved by another kind of optimizer?");
    expect("optimizer state", name.c_str(), *found->second, dtype, shape);
    Tensor copy = clone(*found->second);
    by_name.erase(found);
    return copy;
  };
  const auto count = [&](const std::string& name) {
    const int64_t n = *take(name, Dtype::i64, {}).data<int64_t>();
    check(n >= 0, "optimizer state: '", name, "' should not be negative, got ", n);
    return n;
  };
  const int64_t steps = count("step");
  std::vector<Slot> slots = slots_;
  for (Slot& slot : slots) {
    slot.m = slot.v = Tensor();
    slot.steps = 0;
    if (!by_name.contains(slot.name + ".m")) continue;
    slot.steps = count(slot.name + ".step");
    slot.m = take(slot.name + ".m", slot.dtype, slot.shape);
    if (options_.kind != OptimizerKind::sgd)
      slot.v = take(slot.name + ".v", slot.dtype, slot.shape);
  }
  check(by_name.empty(), "optimizer state: '", by_name.empty() ? "" : by_name.begin()->first,
        "' belongs to no parameter of this model");
  slots_ = std::move(slots);
  steps_ = steps;
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
