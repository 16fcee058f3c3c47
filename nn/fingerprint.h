// What a run must know of its model to be resumed: the architecture.
#pragma once
#include "nn/config.h"
#include "tensor/json.h"

namespace ink {

// config.json without what names heads and formats, which saving changes (tensor/fingerprint.h).
Json fingerprint_of(const ModelConfig& config);

}  // namespace ink
