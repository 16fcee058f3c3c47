// The report of a pruning: what it did to each module, how important heads, neurons, channels and
// layers were and which stayed, and how fast the model is, as JSON and as a page.
#pragma once
#include <filesystem>
#include <string>

#include "tensor/json.h"

namespace ink::cli {

// From the folders of both models and the accounts that pruning left in `after` (pruning.json,
// vocabulary_pruning.json):
//   {"before": "folder", "after": "folder",
//    "modules": [{"name": "embeddings", "parameters_before": 1, "parameters_after": 1}, …],
//    "transformer": pruning.json, "vocabulary": vocabulary_pruning.json without kept_ids}
Json pruning_report(const std::filesystem::path& before, const std::filesystem::path& after);
std::string pruning_page(const Json& report);

// Writes the page, and the JSON beside it under the same name with .json.
void write_pruning_report(const std::filesystem::path& before, const std::filesystem::path& after,
                          const std::filesystem::path& page);

}  // namespace ink::cli
