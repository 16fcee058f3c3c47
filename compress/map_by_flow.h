// The layer map "emd": each student layer with the teacher layer that most of it is carried to, by
// the optimal transport between even weights of both models' layers (compress/emd_loss.h).
#pragma once
#include <vector>

#include "compress/matches.h"
#include "compress/reading.h"
#include "nn/model.h"

namespace ink {

// Moves each match to that layer; those of student layer 0 stay. Costs are means over some batches of
// the training data, between the teacher and the student as it is, of the matches' own loss, or of
// nst where widths differ. Where flows are equal the cheaper pair counts.
void map_by_flow(std::vector<IntermediateMatch>& matches, const Model& teacher,
                 const Model& student, const Reading& train);

}  // namespace ink
