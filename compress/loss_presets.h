// Losses by the names of the methods that use them, for two models of any sizes.
//
//   DistilBERT  5·τ²·KL between logits at τ = 2, 2·MLM, 1·(1 − cos) of the last layers' states
//               (Sanh et al. 2019; the weights are those of its published training)
//   TinyBERT    Σ_j MSE of the attention's scores of layer j, Σ_j MSE of hidden states, embeddings
//               included; nothing of logits (Jiao et al. 2020)
//   MiniLM      KL of the last layers' attention and of their value relation (Wang et al. 2020,
//               eq. 7 and 9); nothing of logits
//
// Layer j of the student goes with the teacher's by a map (compress/layer_map.h). Where widths
// differ, states pass through linear projections first, one for each layer; TinyBERT's published
// code has one for all.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compress/distillation_config.h"
#include "compress/layer_map.h"

namespace ink {

std::vector<std::string_view> loss_presets();  // their names
// Raises Error for an unknown name, with the nearest.
DistillationConfig loss_preset(const std::string& name, const LayerMap& map,
                               const ModelSize& teacher, const ModelSize& student);

}  // namespace ink
