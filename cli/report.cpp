// inkstone report: finished runs and models → one self-contained HTML page.
//
// Curves come from each run's log; accuracy and latency of the models are measured here, on the
// same examples, beside the majority class and naive Bayes.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "autograd/training_log.h"
#include "cli/model_size.h"
#include "cli/report_page.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "nn/session.h"
#include "tasks/baselines.h"
#include "tasks/classification.h"
#include "tasks/latency.h"
#include "tensor/file.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  std::string out = "report.html", title = "inkstone: from text to a small model", train, data;
  std::vector<std::string> model, run;
  int64_t max_length = 128;
};

// "name=folder"
std::pair<std::string, fs::path> named_folder(const std::string& text, const char* option) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(std::string(option) + ": expected NAME=FOLDER, got '" + text + "'");
  }
  return {text.substr(0, equals), text.substr(equals + 1)};
}

// Importance of heads and which were removed, where pruning left an account.
std::optional<HeatMap> heads_of(const fs::path& folder) {
  const fs::path file = folder / "pruning.json";
  if (!fs::exists(file)) return std::nullopt;
  const Json json = parse_json(read_file(file, size_t{1} << 28), file.string());
  if (!json.has("head_importance") || !json.has("head_mask")) return std::nullopt;
  HeatMap map{.row_label = "layer", .column_label = "head"};
  for (const Json& row : json.array("head_importance").items()) {
    map.values.emplace_back();
    for (const Json& v : row.items()) map.values.back().push_back(v.as_real());
  }
  for (const Json& row : json.array("head_mask").items()) {
    map.removed.emplace_back();
    for (const Json& v : row.items()) map.removed.back().push_back(v.as_real() == 0);
  }
  check(map.values.size() == map.removed.size(), "", file.string(),
        ": expected as many rows of head_mask as of head_importance");
  return map;
}

void measure_models(const Options& o, Report& report) {
  std::vector<std::unique_ptr<Session>> sessions;
  std::vector<const Session*> all;
  std::optional<Features> features;
  for (const std::string& text : o.model) {
    const auto [name, folder] = named_folder(text, "--model");
    sessions.push_back(std::make_unique<Session>(folder));
    const Model& model = sessions.back()->model();
    const Labels labels = labels_of(model.config);
    const Examples examples = read_examples(o.data, {}, &labels);
    features.emplace(examples, Tokenizer::load(folder), o.max_length);
    const Evaluated result = evaluate(model, *features);
    notice("report: " + name + ": accuracy " + short_number(100 * result.confusion.accuracy()) +
           " %");
    report.models.push_back({.name = name,
                             .layers = model.config.layers(),
                             .parameters = model.parameters.elements(),
                             .accuracy = result.confusion.accuracy(),
                             .macro_f1 = result.confusion.macro_f1()});
    if (auto map = heads_of(folder)) {
      map->title = name + ": importance of heads";
      report.heat_maps.push_back(*map);
    }
    all.push_back(sessions.back().get());
  }
  if (all.empty()) return;
  const std::vector<Latency> latency = measure_latency(all, *features);
  for (size_t i = 0; i < latency.size(); ++i) {
    report.models[i].milliseconds_1 = latency[i].one;
    report.models[i].milliseconds_32 = latency[i].thirty_two;
  }
}

void measure_baselines_of(const Options& o, Report& report) {
  if (o.train.empty() || o.data.empty()) return;
  const Examples train = read_examples(o.train);
  const Examples data = read_examples(o.data, {}, &train.labels);
  const Baselines b = measure_baselines(train, data);
  report.baselines = {{"majority class", b.majority}, {"naive Bayes (characters)", b.naive_bayes}};
  report.examples = static_cast<int64_t>(data.size());
}

Json run(const Options& o) {
  if (!o.model.empty() && o.data.empty()) throw UsageError("expected --data with --model");
  Report report{.title = o.title, .threads = threads(), .kernels = simd::name_of(simd::level())};
  for (const std::string& text : o.run) {
    const auto [name, folder] = named_folder(text, "--run");
    const fs::path log = folder / "training" / "log.jsonl";
    report.runs.push_back({.name = name, .log = read_training_log(log)});
  }
  measure_baselines_of(o, report);
  measure_models(o, report);
  write_file(o.out, page_of(report));
  std::printf("%s", table_of(report).c_str());
  Json models = Json::make_array();
  for (const ReportedModel& m : report.models) {
    models.append(Json::make_object({{"name", m.name},
                                     {"parameters", m.parameters},
                                     {"accuracy", m.accuracy},
                                     {"macro_f1", m.macro_f1},
                                     {"milliseconds_1", m.milliseconds_1},
                                     {"milliseconds_32", m.milliseconds_32}}));
  }
  Json json = Json::make_object({{"models", models}});
  for (const auto& [name, accuracy] : report.baselines) json.set(name, accuracy);
  return json;
}

}  // namespace

Action declare_report(Command& command) {
  auto o = std::make_shared<Options>();
  command.option("--run", o->run, "NAME=FOLDER of each training run whose curves are shown");
  command.option("--model", o->model, "NAME=FOLDER of each classifier to measure");
  command.option("--data", o->data, "labelled examples to measure on");
  command.option("--train", o->train, "labelled examples that the baselines learn from");
  command.option("--max-length", o->max_length, "longest sequence in tokens");
  command.option("--title", o->title, "of the page");
  command.option("--out", o->out, "HTML file to write");
  return [o] { return run(*o); };
}

}  // namespace ink::cli
