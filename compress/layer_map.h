// Layer maps: which of a teacher's layers each of a student's is compared with, by rule.
//
//   uniform   layer j of S with layer ⌊j·T/S⌋ of T     Jiao et al. 2020; "skip" of Sun et al. 2019
//   last      layer j with layer T − S + j, 0 with 0   Sun et al. 2019
//   emd       layer j with the one that optimal transport carries most of it to, on batches of the
//             data; 0 with 0                            after Li et al. 2020
//
// Layers are counted as hidden states are: 0 is the output of the embeddings. A further rule is one
// more line of the table in layer_map.cpp. "emd" is measured once, before training
// (compress/map_by_flow.h), and is "uniform" until then; pairs that move in training are a loss
// (compress/emd_match.h).
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "compress/distillation_config.h"

namespace ink {

struct LayerMap {
  const char* name;
  // The teacher's layer for `layer` of the student, from 0 to student. Raises Error where the rule
  // is not for a student of so many layers.
  int64_t (*teacher_layer)(int64_t layer, int64_t teacher, int64_t student);
};

std::span<const LayerMap> layer_maps();
// Raises Error for an unknown name, with the known ones.
const LayerMap& layer_map(const std::string& name);

// A match of `loss` for every student layer, with linear projections where widths differ.
std::vector<IntermediateMatch> mapped_matches(const LayerMap& map, const ModelSize& teacher,
                                              const ModelSize& student, MatchLoss loss,
                                              double weight = 1);

// Puts these in the place of the matches of `config`. Raises Error where it has some.
void match_evenly(DistillationConfig& config, MatchLoss loss, const LayerMap& map,
                  const ModelSize& teacher, const ModelSize& student);

}  // namespace ink
