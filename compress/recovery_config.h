// RecoveryConfig: how a model is trained after each step of pruning.
//
//   {"epochs": 1, "learning_rate": 5e-5, "batch_size": 32, "warm_up": 0.1, "weight_decay": 0.01,
//    "distil": true, "temperature": 1, "hard_label_weight": 1}
//
// With "distil" the unpruned model teaches: its softened decisions (compress/scoring.h) are learnt
// with weight 1 beside the labels' own loss with hard_label_weight. Both keys are errors without.
#pragma once
#include <cstdint>

#include "tensor/json.h"

namespace ink {

struct RecoveryConfig {
  int64_t epochs = 1;  // after each step
  int64_t batch_size = 32;
  double learning_rate = 5e-5;  // at its peak; it rises and falls anew after each step
  double warm_up = 0.1;
  double weight_decay = 0.01;
  bool distil = false;
  double temperature = 1;
  double hard_label_weight = 1;

  // Without labels (`labelled` false) hard_label_weight is 0 where the JSON does not say it. Raises
  // Error for unknown keys and values.
  static RecoveryConfig from_json(const Json& json, bool labelled = true);
  Json to_json() const;
};

}  // namespace ink
