// DistillationConfig: what a student learns from its teacher, with TextBrewer's keys and meanings.
//
//   {"temperature": 8, "hard_label_weight": 0.5, "kd_loss_type": "ce", "kd_loss_weight": 1,
//    "intermediate_matches": [{"layer_T": 4, "layer_S": 2, "feature": "hidden",
//                              "loss": "hidden_mse", "weight": 1, "proj": ["linear", 128, 256]}]}
//
// Hidden layers are counted as transformers counts them: 0 is the output of the
// embeddings, i that of layer i.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/activation.h"
#include "tensor/json.h"

namespace ink {

enum class KdLoss : uint8_t { ce, mse };
enum class MatchLoss : uint8_t { hidden_mse, cos };

// How a loss's weight moves in training: constant, from 1 to 0, from 0 to 1. With x = step / steps
// the weight becomes 1 − x or x from the second step on; the first has the configured weight.
enum class WeightSchedule : uint8_t { none, linear_decay, linear_growth };
double scheduled_weight(WeightSchedule schedule, double configured, int64_t step, int64_t steps);

struct IntermediateMatch {
  int64_t layer_teacher = 0, layer_student = 0;  // layer_T, layer_S
  MatchLoss loss = MatchLoss::hidden_mse;
  double weight = 1;
  // The student's states pass through f(x Wᵀ + b) first, from student_size to teacher_size, where
  // the sizes are not 0: "proj": ["linear" or "relu" or "tanh", student_size, teacher_size].
  Activation projection = Activation::none;
  int64_t student_size = 0, teacher_size = 0;
  bool projected() const { return student_size != 0; }
  // As TextBrewer logs it: "hidden_hidden_mse_1_2", student before teacher.
  std::string name() const;
};

struct DistillationConfig {
  double temperature = 4;
  // Multiplies the ce loss by temperature² (Hinton et al. 2015); TextBrewer does not.
  bool temperature_squared = false;
  double hard_label_weight = 0;
  WeightSchedule hard_label_weight_scheduler = WeightSchedule::none;
  KdLoss kd_loss_type = KdLoss::ce;
  double kd_loss_weight = 1;
  WeightSchedule kd_loss_weight_scheduler = WeightSchedule::none;
  std::vector<IntermediateMatch> intermediate_matches = {};
  // The teacher's logits of all examples are computed once, before training;
  // not together with matches.
  bool is_caching_logits = false;

  // Raises Error for unknown keys and values, naming the file and the nearest known one.
  static DistillationConfig from_json(const Json& json);
  Json to_json() const;
};

// Sizes of one of the two models.
struct ModelSize {
  int64_t layers = 0, hidden = 0;
};
// Raises Error when a match names a layer that is not there, or sizes that do not fit without (or
// with) its projection.
void check_matches(const DistillationConfig& config, const ModelSize& teacher,
                   const ModelSize& student);

// Every student layer j, from 0, with teacher layer j·T/S (rounded down);
// linear projections where widths differ.
std::vector<IntermediateMatch> even_matches(const ModelSize& teacher, const ModelSize& student,
                                            MatchLoss loss = MatchLoss::hidden_mse,
                                            double weight = 1);

}  // namespace ink
