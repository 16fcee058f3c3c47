// What a run must know of its model to be resumed: architecture and weights.
#pragma once
#include <filesystem>
#include <string>

#include "nn/config.h"
#include "nn/family.h"
#include "tensor/json.h"
#include "tensor/parameters.h"

namespace ink {

// config.json without what names heads and formats, which saving changes (tensor/fingerprint.h).
Json fingerprint_of(const ModelConfig& config);

// Of names and values as they are loaded: f32, on the host.
std::string digest_of(const Parameters& parameters);
// The same of a folder's model with these heads, in whatever files it is stored.
std::string digest_of_weights(const std::filesystem::path& folder, const Heads& heads);

}  // namespace ink
