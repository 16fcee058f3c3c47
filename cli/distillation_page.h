// What `inkstone distill` leaves beside the student: distillation.json and distillation.html.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "compress/comparison.h"
#include "tensor/json.h"

namespace ink::cli {

// {"models": [{"name", "parameters", "megabytes", "sentences_per_second", "score", …}, …]}, with
// the metrics of the task. Of several tasks {"tasks": {"NAME": {"models": …}, …}}.
Json json_of(const std::vector<ComparedModel>& models);
// Such an object as HTML: a table, or one for each task below its name.
std::string comparison_tables(const Json& distillation);
// These and, of the lines of a training log, a chart for each term of the loss.
std::string distillation_page(const std::string& title, const Json& distillation,
                              const std::vector<Json>& log);
std::string table_of(const Json& distillation);  // as text

// Writes both files to `folder`, whose training/log.jsonl has the curves.
void write_distillation(const std::filesystem::path& folder, const Json& distillation);

}  // namespace ink::cli
