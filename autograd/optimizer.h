// Optimizers: AdamW, LAMB and SGD with momentum over all parameters of a store.
//
//   Optimizer optimizer(parameters, {.weight_decay = 0.01});
//   optimizer.step(parameters, sum.gradients(), rate, clip_factor(norm, 1.0) / sum.weight());
//
// It owns the moments, one or two tensors for each parameter, made when the parameter gets its
// first gradient. Parameters that are not trainable, or have no gradient, stay as they are. Weight
// decay (and LAMB's trust ratio) apply where Parameter::decay says so: to matrices, not to biases
// and layer norms; Parameter::rate and ::weight_decay give a parameter a learning rate in proportion
// and a decay of its own. After the first step nothing is allocated. The formulas are in
// tensor/optimizer_steps.h.
//
// On the CUDA device parameters may have 16 bits:
//
//   Optimizer optimizer(parameters);                          // of an f32 model on the CPU
//   optimizer.place(parameters, Device::cuda, Dtype::bf16);
//   …
//   Gradients g = tape.backward(loss, optimizer.loss_scale());
//   optimizer.step(parameters, gradients, {.learning_rate = rate, .longest = 1});
//
// Updates then act on f32 masters, which the optimizer keeps, and are rounded into the parameters;
// gradients of f16 carry a loss scale. Norm, clipping and whether the step is good are decided on
// the device, and no step waits for it (tensor/step_control.h); control()->record() tells.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/json.h"
#include "tensor/parameters.h"
#include "tensor/safetensors.h"
#include "tensor/step_control.h"

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

  // Moves the parameters, and what the optimizer keeps of them, to a device: as f32, and on the
  // CUDA device as f16 or bf16, where it keeps their values so far as masters.
  void place(Parameters& parameters, Device device, Dtype dtype = Dtype::f32);

  // One step. gradients: one for each parameter, in order, undefined where there is none; each is
  // multiplied by gradient_scale first. On the CPU they should be finite (GradientSum::norm checks
  // that); on the CUDA device a step with others changes nothing.
  void step(Parameters& parameters, std::span<const Tensor> gradients, double learning_rate,
            double gradient_scale = 1);
  // The same on the CUDA device alone, with clipping; losses that are not finite halt it too.
  void step(Parameters& parameters, std::span<const Tensor> gradients, const StepSettings& settings,
            std::span<const Tensor> losses = {});
  // The same with the settings that control()->set() was given last: all that a recorded graph
  // (cuda/graph.h) can repeat.
  void step_as_set(Parameters& parameters, std::span<const Tensor> gradients,
                   std::span<const Tensor> losses = {});

  int64_t steps() const { return control_ ? control_->steps_in_all() : steps_; }
  const OptimizerOptions& options() const { return options_; }
  // Null while the parameters are on the CPU.
  StepControl* control() { return control_.get(); }
  // What backward should start from: undefined without a loss scale, which is then 1.
  Tensor loss_scale() const;

  // The parameters in f32, by name and in order: masters where there are any, else the values
  // themselves. For saving a model that is trained in 16 bits.
  std::vector<NamedTensor> exact(const Parameters& parameters) const;

  // Everything that the next step depends on besides parameters and gradients: "step", and for each
  // parameter with moments "<name>.m", "<name>.v" (AdamW, LAMB) and "<name>.step"; "<name>.master"
  // of those with 16 bits, and "loss_scale" (the scale, and good steps with it) where one of them
  // is f16. The tensors share memory with the optimizer.
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
    Device device;
    Tensor m = {}, v = {};  // undefined before the first gradient, v always in SGD
    Tensor master = {};     // of a parameter with 16 bits
    int64_t steps = 0;      // that changed it, where the CPU counts
  };
  static Slot slot_of(const Parameter& parameter);
  void check_step(const Parameters& parameters, std::span<const Tensor> gradients) const;
  static void check_factors(double learning_rate, double gradient_scale);
  void check_gradient(const Parameter& parameter, const Slot& slot, const Tensor& gradient) const;
  void make_control();
  void make_state(Slot& slot, const Parameter& parameter) const;
  void update(Slot& slot, Parameter& parameter, const Tensor& gradient, double learning_rate,
              double gradient_scale) const;
  std::vector<int64_t> counts() const;

  OptimizerOptions options_;
  std::vector<Slot> slots_;  // one for each parameter, in order
  int64_t steps_ = 0;        // where the CPU counts
  std::unique_ptr<StepControl> control_;
};

}  // namespace ink
