// What a training step on the CUDA device depends on, decided there, so that the host need not
// wait:
//
//   norm = √Σ‖g‖²·share/S;   gradients are multiplied by share/S·min(1, longest/norm)
//
// S is the loss scale. Small gradients vanish in f16, so backward starts from S instead of 1. S
// begins at 2¹⁶; a step whose gradients overflow changes nothing but halves it, and 2,000 good
// steps double it (Micikevicius et al. 2018). For other types it is 1.
//
// A step is good when its losses and gradients are finite. After one that is not, and that no
// smaller S can help, the device is halted: this step and all that follow change nothing until
// go_on(). So the host may look later and still finds the parameters from before the bad step.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace ink {

// The tensors of one parameter, contiguous and on the CUDA device. w: f32, f16 or bf16; its
// gradient g: of the same type or f32. The others are f32: m, v (not in SGD) and, where w has 16
// bits, master, from which w is rounded.
struct ParameterPart {
  Tensor w, g, m, v, master;
  int32_t number = 0;  // of the parameter
  bool ratio = true;   // whether LAMB's trust ratio applies
  double rate = 1;     // factor of the learning rate
  double weight_decay = 0;
};

// The same for kernels.
struct PartEntry {
  void* w;
  const void* g;
  float *m, *v, *weight;  // weight: the master, or w itself
  int64_t size, first_piece;
  int32_t number;
  float rate, weight_decay;
  Dtype type, gradient_type;
  bool ratio, packed;
};

struct StepSettings {
  double learning_rate = 0;
  double share = 1;    // what the gradients are multiplied by: 1/Σ weights
  double longest = 0;  // norm of the gradients so multiplied; 0 = any
};

enum class Verdict : uint8_t { good, skipped, halted };

// What became of a step.
struct StepRecord {
  double norm = 0;  // before clipping
  Verdict verdict = Verdict::good;
  // When halted: the first parameter whose gradient is not finite, or −1 − k for loss k.
  int64_t culprit = 0;
};

class StepControl {
 public:
  explicit StepControl(size_t parameters, bool scales_losses = false);

  // For the steps that follow. A small copy, to be made outside of a captured graph.
  void set(const StepSettings& settings);
  // Judges the gradients and the losses (f32 scalars on the device). The update that follows
  // (tensor/optimizer_steps.h) is of these parts, which should live until it is called.
  void decide(std::span<const ParameterPart> parts, std::span<const Tensor> losses = {});
  void go_on();

  bool scales_losses() const { return scales_losses_; }
  Tensor loss_scale() const;  // a scalar on the device, from which backward starts
  // Three numbers on the device that the next step overwrites, and what they mean.
  Tensor record() const;
  static constexpr int64_t kRecordWords = 3;
  static StepRecord record_from(std::span<const float> words);
  StepRecord read() const;  // of the last step; waits for the device

  // Steps that changed a parameter, for each of them, then steps that changed anything; waits too.
  std::vector<int64_t> steps() const;
  int64_t steps_in_all() const { return steps().back(); }
  // {S, good steps since it last changed}
  std::array<double, 2> loss_scaling() const;
  void restore(std::span<const int64_t> steps, std::array<double, 2> loss_scaling);

  // For kernels: where the words of settings and state lie; the record comes first.
  enum : int { kRate, kShare, kLongest, kSettingsWords };
  enum : int { kNorm, kVerdict, kCulprit, kFactor, kScale, kGoodSteps, kStateWords };
  struct View {
    const PartEntry* parts;
    int count;       // of parts
    int parameters;  // those without a part included
    int64_t pieces;  // of all parts: blocks of a launch
    const float* settings;
    float* state;
    int32_t* steps;  // of each parameter, then in all

    INK_BOTH float learning_rate() const { return settings[kRate]; }
    INK_BOTH float factor() const { return state[kFactor]; }  // of the gradients
    INK_BOTH bool good() const { return state[kVerdict] == static_cast<float>(Verdict::good); }
  };
  View view() const;

 private:
  void upload_table(std::span<const ParameterPart> parts, std::span<const Tensor> losses);

  bool scales_losses_;
  Tensor settings_, state_, steps_;
  std::vector<std::byte> bytes_;  // of the table, as last uploaded
  Tensor table_;
  int count_ = 0, loss_count_ = 0;
  int64_t pieces_ = 0;
};

}  // namespace ink
