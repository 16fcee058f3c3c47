// An architecture as names and values, weights as a digest.
#include "nn/fingerprint.h"

#include <span>

#include "nn/model_folder.h"
#include "tensor/fingerprint.h"

namespace ink {

Json fingerprint_of(const ModelConfig& config) {
  Json json = config.to_json();
  for (const char* key :
       {"architectures", "torch_dtype", "dtype", "transformers_version", "_name_or_path"})
    json.erase(key);
  return json;
}

std::string digest_of(const Parameters& parameters) {
  Digest digest;
  for (const Parameter& p : parameters)
    digest.add(p.name).add(std::span(p.value.data<float>(), static_cast<size_t>(p.value.size())));
  return digest.to_string();
}

std::string digest_of_weights(const std::filesystem::path& folder, const Heads& heads) {
  return digest_of(load_model(folder, {.heads = heads}).parameters);
}

}  // namespace ink
