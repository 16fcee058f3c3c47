// An architecture as names and values.
#include "nn/fingerprint.h"

namespace ink {

Json fingerprint_of(const ModelConfig& config) {
  Json json = config.to_json();
  for (const char* key :
       {"architectures", "torch_dtype", "dtype", "transformers_version", "_name_or_path"})
    json.erase(key);
  return json;
}

}  // namespace ink
