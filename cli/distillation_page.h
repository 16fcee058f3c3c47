// What `inkstone distill` leaves beside the student: distillation.json and distillation.html.
#pragma once
#include <string>
#include <vector>

#include "compress/comparison.h"
#include "tensor/json.h"

namespace ink::cli {

// {"models": [{"name", "parameters", "megabytes", "sentences_per_second", "score", …}, …]}, with
// the metrics of the task.
Json json_of(const std::vector<ComparedModel>& models);
// The table and, of the lines of a training log, a chart for each term of the loss.
std::string distillation_page(const std::string& title, const std::vector<ComparedModel>& models,
                              const std::vector<Json>& log);
std::string table_of(const std::vector<ComparedModel>& models);  // as text

}  // namespace ink::cli
