// DistillationConfig: what a student learns from its teacher, with TextBrewer's keys and meanings.
//
//   {"temperature": 8, "temperature_scheduler": ["flsw", 1, 1], "temperature_squared": false,
//    "kd_loss_type": "ce", "kd_loss_weight": 1, "kd_loss_weight_scheduler": "linear_decay",
//    "hard_label_weight": 0.5, "hard_label_weight_scheduler": "none", "probability_shift": false,
//    "intermediate_matches": ["L3_hidden_mse", "L3_hidden_smmd"],
//    "emd": {"feature": "hidden", "loss": "hidden_mse"}, "is_caching_logits": false,
//    "compatible": false, "inputs_mask": true}
//
// kd_loss_type: ce, mse, kl, bce, regression (losses/logits.h). temperature_scheduler: "none" or
// "constant", ["flsw", β, γ], ["cwsm", β] (losses/temperature.h). probability_shift:
// losses/logits.h. intermediate_matches: matches.h. emd: emd_match.h.
//
// With "compatible" the losses are TextBrewer's to the last term, where it differs from what they
// are by default:
//
//   * Attention losses of ce take softmax of probabilities once more, with a zero for each place
//     that padding to the longest sequence of the batch would add.
//   * "inputs_mask": false stands for an adaptor that returns none. Attention losses then set
//     scores of at most −10⁻³ to 0. All sequences of a batch must be of one length, because states
//     of padding, which TextBrewer then compares as well, do not exist here.
//   * Temperatures of a schedule have no lower bound.
//
// TextBrewer has no temperature_squared, which "compatible" therefore refuses.
#pragma once
#include <cstdint>
#include <vector>

#include "compress/emd_match.h"
#include "compress/losses/logits.h"
#include "compress/losses/temperature.h"
#include "compress/matches.h"
#include "tensor/json.h"

namespace ink {

// How a loss's weight moves in training: constant, from 1 to 0, from 0 to 1. With x = step / steps
// the weight becomes 1 − x or x from the second step on; the first has the configured weight.
enum class WeightSchedule : uint8_t { none, linear_decay, linear_growth };
double scheduled_weight(WeightSchedule schedule, double configured, int64_t step, int64_t steps);

const char* name_of(KdLoss loss);     // as kd_loss_type has it
KdLoss kd_loss_in(const Json& json);  // of its key kd_loss_type

struct DistillationConfig {
  double temperature = 4;
  TemperatureSchedule temperature_scheduler = {};
  // Multiplies the losses ce, kl and bce by temperature² (Hinton et al. 2015), so that the size of
  // their gradients does not depend on it; TextBrewer does not.
  bool temperature_squared = false;
  double hard_label_weight = 0;
  WeightSchedule hard_label_weight_scheduler = WeightSchedule::none;
  KdLoss kd_loss_type = KdLoss::ce;
  double kd_loss_weight = 1;
  WeightSchedule kd_loss_weight_scheduler = WeightSchedule::none;
  bool probability_shift = false;
  std::vector<IntermediateMatch> intermediate_matches = {};
  std::vector<EmdMatch> emd = {};
  // The teacher's logits of all examples are computed once, before training;
  // not together with matches.
  bool is_caching_logits = false;
  bool compatible = false, inputs_mask = true;

  // Raises Error for unknown keys and values, naming the file and the nearest known one.
  static DistillationConfig from_json(const Json& json);
  // What the object does not say is as in `otherwise`.
  static DistillationConfig from_json(const Json& json, const DistillationConfig& otherwise);
  Json to_json() const;
  // Checks all matches against the two models, and tells those of `emd` how many layers they have.
  void settle(const ModelSize& teacher, const ModelSize& student);
  bool has_matches() const { return !intermediate_matches.empty() || !emd.empty(); }
  // Whether these losses count at any step.
  bool compares_logits() const;  // kd_loss
  bool learns_labels() const;    // that of the true labels
  // Whether any loss reads what teachers say, and whether none is of logits: no head learns then.
  bool asks_teachers() const { return compares_logits() || has_matches(); }
  bool learns_layers_alone() const { return !compares_logits() && !learns_labels(); }
  // Whether a match reads hidden states, or queries, keys and values.
  bool matches_hidden() const;
  bool matches_attention() const;
};

// Raises Error where no loss has a weight above 0 at the first step, which has the configured
// weights; at later steps a scheduled weight is never 0.
void check_learns(const DistillationConfig& config);
// Raises Error where layers are to be computed again in backward, and attention is to be matched.
void check_recompute(const DistillationConfig& config, bool recompute);

}  // namespace ink
