// The page that `inkstone report` writes: curves, a table and heat maps in one HTML file.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "cli/svg.h"
#include "tensor/json.h"

namespace ink::cli {

struct ReportedRun {
  std::string name;
  std::vector<Json> log;  // lines of autograd/training_log.h
};

struct ReportedModel {
  std::string name;
  int64_t layers = 0, parameters = 0;
  double accuracy = 0, macro_f1 = 0;
  double milliseconds_1 = 0, milliseconds_32 = 0;  // of a batch of 1 and of 32 examples
};

// The distillation.json of a folder.
struct ReportedDistillation {
  std::string name;
  Json json;
};

struct Report {
  std::string title;
  int threads = 1;
  std::string kernels;
  std::vector<ReportedRun> runs = {};
  std::vector<std::pair<std::string, double>> baselines = {};  // accuracies
  int64_t examples = 0;                                        // that accuracies are measured on
  std::vector<ReportedModel> models = {};
  std::vector<HeatMap> heat_maps = {};
  std::vector<ReportedDistillation> distillations = {};
};

std::string page_of(const Report& report);
// The frame of every page: head, style and title around the body, which is HTML.
std::string html_page(const std::string& title, const std::string& body);
std::string card(const std::string& svg);  // a picture or table on a ground of its own
// The table alone, as text.
std::string table_of(const Report& report);

}  // namespace ink::cli
