// How large a model is: parameters and bytes, as a whole and by part.
#pragma once
#include <string>
#include <vector>

#include "nn/model.h"

namespace ink::cli {

struct Part {
  std::string name;  // "embeddings", "layer 0", "pooler", "classifier", …
  int64_t parameters = 0;
};
// In the order of the parameters. A tied parameter counts once.
std::vector<Part> parts_of(const Family& family, const Parameters& parameters);

inline double megabytes(int64_t parameters) { return 4.0 * static_cast<double>(parameters) / 1e6; }

}  // namespace ink::cli
