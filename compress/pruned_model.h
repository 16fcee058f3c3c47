// The models that masks leave.
#pragma once
#include "compress/masks.h"
#include "nn/model.h"

namespace ink {

// Without what the masks drop, in memory of its own. Raises Error for masks that do not fit
// (compress/surgery.h, compress/stream_surgery.h).
Model pruned_model(const Model& model, const Masks& masks);
// The same with zeros where the masks drop, in the shapes that it has; not of layers and channels.
Model masked_model(const Model& model, const Masks& masks);

}  // namespace ink
