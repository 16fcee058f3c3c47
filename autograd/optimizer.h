// Optimizers: AdamW, LAMB and SGD with momentum over all parameters of a store.
//
//   Optimizer optimizer(parameters, {.weight_decay = 0.01});
//   optimizer.step(parameters, sum.gradients(), rate, clip_factor(norm, 1.0) / sum.weight());
//
// It owns the moments, one or two tensors for each parameter, made when the parameter gets its
// first gradient. Parameters that are not trainable, or have no gradient, stay as they are. Weight
// decay (and LAMB's trust ratio) apply where Parameter::decay says so: to matrices, not to biases
// and layer norms. After the first step nothing is allocated. The formulas are in
// tensor/optimizer_steps.h.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "tensor/json.h"
#include "tensor/parameters.h"
#include "tensor/safetensors.h"

namespace ink {

enum class OptimizerKind : uint8_t { adamw, lamb, sgd };

// "adamw", "lamb" or "sgd"; anything else is an Error.
OptimizerKind optimizer_from(const std::string& name);
const char* name_of(OptimizerKind kind);

struct OptimizerOptions {
  OptimizerKind kind = OptimizerKind::adamw;
  double weight_decay = 0.01;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-6;  // AdamW, LAMB
  bool bias_correction = true;                        // AdamW, LAMB; false: Google BERT's variant
  double momentum = 0.9;                              // SGD

  // Those that the kind uses, by name: "optimizer", "weight_decay", …
  Json to_json() const;
};

class Optimizer {
 public:
  explicit Optimizer(const Parameters& parameters, const OptimizerOptions& options = {});

  // One step. gradients: one for each parameter, in order, undefined where there is none; each is
  // multiplied by gradient_scale first. They should be finite (GradientSum::norm checks that).
  void step(Parameters& parameters, std::span<const Tensor> gradients, double learning_rate,
            double gradient_scale = 1);

  int64_t steps() const { return steps_; }
  const OptimizerOptions& options() const { return options_; }

  // Everything that the next step depends on besides parameters and gradients: "step", and for each
  // parameter with moments "<name>.m", "<name>.v" (AdamW, LAMB) and "<name>.step". The tensors
  // share memory with the optimizer.
  std::vector<NamedTensor> state() const;
  // The way back, bit for bit. Raises Error when something is missing, unknown or of another shape;
  // the optimizer is then as it was.
  void restore(std::span<const NamedTensor> state);
  // The same as a safetensors file that names the kind; loading another kind's is an Error.
  void save(const std::filesystem::path& path) const;
  void load(const std::filesystem::path& path);

 private:
  struct Slot {
    std::string name;  // these three of the parameter
    Shape shape;
    Dtype dtype;
    Tensor m = {}, v = {};  // undefined before the first gradient, v always in SGD
    int64_t steps = 0;      // that changed it
  };
  void update(Slot& slot, Parameter& parameter, const Tensor& gradient, double learning_rate,
              double gradient_scale) const;

  OptimizerOptions options_;
  std::vector<Slot> slots_;  // one for each parameter, in order
  int64_t steps_ = 0;
};

}  // namespace ink
