// inkstone report: finished runs and models → one self-contained HTML page.
//
// Curves come from each run's log; accuracy and latency of the models are measured here, on the
// same examples, beside the majority class and naive Bayes. What pruning and distillation left in
// their folders is shown, too.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>

#include "autograd/training_log.h"
#include "cli/length.h"
#include "cli/model_size.h"
#include "cli/report_page.h"
#include "cli/task_options.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "compress/surgery.h"
#include "nn/session.h"
#include "tasks/baselines.h"
#include "tasks/classification.h"
#include "tasks/latency.h"
#include "tensor/file.h"
#include "tensor/keys.h"
#include "tensor/parallel.h"
#include "tensor/simd.h"

namespace ink::cli {
namespace {

namespace fs = std::filesystem;

struct Options {
  TaskOptions task;
  std::string out = "report.html", title = "inkstone: from text to a small model", train, data;
  std::vector<std::string> model, run;
};

struct NamedFolder {
  std::string name;
  fs::path folder;
};

// "name=folder"
NamedFolder named_folder(const std::string& text, const std::string& option) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(option + ": expected NAME=FOLDER, got " + in_quotes(text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

// All of an option, with names that differ and folders that exist.
std::vector<NamedFolder> named_folders(const std::vector<std::string>& texts,
                                       const std::string& option) {
  std::vector<NamedFolder> all;
  for (const std::string& text : texts) {
    NamedFolder one = named_folder(text, option);
    if (std::ranges::find(all, one.name, &NamedFolder::name) != all.end())
      throw UsageError(option + ": expected different names, got " + in_quotes(one.name) +
                       " twice");
    check(fs::is_directory(one.folder), "", option, ": there is no folder ", one.folder.string());
    all.push_back(std::move(one));
  }
  return all;
}

// Importance of heads and which were removed, where pruning left an account that fits the model.
std::optional<HeatMap> heads_of(const fs::path& folder, const ModelConfig& config) {
  const fs::path file = folder / "pruning.json";
  if (!fs::exists(file)) return std::nullopt;
  const Json json = parse_json(read_file(file, size_t{1} << 28), file.string());
  if (!json.has("head_importance") || !json.has("head_mask")) return std::nullopt;
  const Json &importance = json.array("head_importance"), &mask = json.array("head_mask");
  const bool shape_kept = json.has("measured") && json["measured"].boolean("keep_shape", false);
  const std::vector<int64_t> heads_left = prunable_sizes(config).heads;
  // Layers that are left; a shared one is there once, however often it runs.
  std::vector<size_t> rows;
  const bool whole = config.shared.groups > 0 || !json.has("layer_mask");
  for (size_t l = 0; l < importance.size(); ++l)
    if (whole || json.array("layer_mask").integer_between(l, 0, 1) == 1) rows.push_back(l);
  const size_t layers = heads_left.size();
  check(rows.size() == layers && mask.size() == importance.size(), "", file.string(),
        ": expected head_importance and head_mask of the model's ", layers, " layers, got ",
        importance.size(), " and ", mask.size());
  HeatMap map{.row_label = "layer", .column_label = "head"};
  for (size_t i = 0; i < layers; ++i) {
    const size_t l = rows[i];
    const Json &values = importance.array(l), &kept = mask.array(l);
    check(values.size() == kept.size(), "", file.string(), ": layer ", l, ": expected ",
          values.size(), " heads in head_mask as in head_importance, got ", kept.size());
    map.values.emplace_back();
    map.removed.emplace_back();
    int64_t heads = 0;
    for (size_t h = 0; h < values.size(); ++h) {
      const bool keep = kept.integer_between(h, 0, 1) == 1;
      map.values.back().push_back(values.real(h));
      map.removed.back().push_back(!keep);
      heads += keep;
    }
    check(heads == heads_left[i] || shape_kept, "", file.string(), ": layer ", l,
          ": expected the model's ", heads_left[i], " heads kept in head_mask, got ", heads);
  }
  return map;
}

// A model, and the examples as its tokenizer sees them.
struct Candidate {
  std::unique_ptr<Session> session;
  Tokenizer tokenizer;
  Labels labels;
  int64_t length;
  std::shared_ptr<const Features> features;
};

// Models that share vocabulary, labels and length share the tokenized examples.
std::shared_ptr<const Features> features_for(const Candidate& model, const Options& o,
                                             const std::vector<Candidate>& others) {
  for (const Candidate& other : others) {
    if (other.tokenizer.vocabulary() == model.tokenizer.vocabulary() &&
        other.tokenizer.options() == model.tokenizer.options() && other.labels == model.labels &&
        other.length == model.length)
      return other.features;
  }
  const Examples examples = read_examples(o.data, read_options(o.task), &model.labels);
  auto features = std::make_shared<Features>(examples, model.tokenizer, model.length);
  notice(truncation_notice(*features, "examples"));
  return features;
}

// Median milliseconds of classifying `size` examples, the models in turns.
std::vector<double> latency_of(const std::vector<Candidate>& models, int64_t size) {
  std::vector<std::function<void(int64_t)>> calls;
  calls.reserve(models.size());
  for (const Candidate& model : models) {
    calls.emplace_back([&model, size](int64_t round) {
      std::vector<int64_t> rows;
      for (int64_t i = 0; i < size; ++i)
        rows.push_back((round * size + i) % model.features->size());
      model.session->logits(model.features->batch(rows).inputs);
    });
  }
  constexpr int64_t kRounds = 20;
  return median_milliseconds(calls, kRounds);
}

void measure_models(const Options& o, const std::vector<NamedFolder>& folders, Report& report) {
  std::vector<Candidate> models;
  for (const auto& [name, folder] : folders) {
    auto session = std::make_unique<Session>(folder);
    const ModelConfig& config = session->model().config;
    const int64_t length = length_for(o.task.max_length, config.longest());
    const Labels labels = labels_of(config);
    Candidate candidate{std::move(session), load_tokenizer(folder, config), labels, length,
                        nullptr};
    candidate.features = features_for(candidate, o, models);
    const Model& model = candidate.session->model();
    const Evaluated result = evaluate(model, *candidate.features);
    notice("report: " + name + ": accuracy " + short_number(100 * result.confusion.accuracy()) +
           " %");
    report.examples = candidate.features->size();
    report.models.push_back({.name = name,
                             .layers = model.config.layers(),
                             .parameters = model.parameters.elements(),
                             .accuracy = result.confusion.accuracy(),
                             .macro_f1 = result.confusion.macro_f1()});
    if (auto map = heads_of(folder, model.config)) {
      map->title = name + ": importance of heads before any was cut";
      report.heat_maps.push_back(*map);
    }
    models.push_back(std::move(candidate));
  }
  if (models.empty()) return;
  const std::vector<double> one = latency_of(models, 1), thirty_two = latency_of(models, 32);
  for (size_t i = 0; i < models.size(); ++i) {
    report.models[i].milliseconds_1 = one[i];
    report.models[i].milliseconds_32 = thirty_two[i];
  }
}

void measure_baselines_of(const Options& o, Report& report) {
  if (o.train.empty() || o.data.empty()) return;
  const Examples train = read_examples(o.train, read_options(o.task));
  const Examples data = read_examples(o.data, read_options(o.task), &train.labels);
  const Baselines b = measure_baselines(train, data);
  report.baselines = {{"majority class", b.majority}, {"naive Bayes (characters)", b.naive_bayes}};
  report.examples = static_cast<int64_t>(data.size());
}

// What `inkstone distill` left in the folders, each of them once.
std::vector<ReportedDistillation> distillations_in(const std::vector<NamedFolder>& folders) {
  std::vector<ReportedDistillation> all;
  std::set<fs::path> seen;
  for (const auto& [name, folder] : folders) {
    const fs::path file = folder / "distillation.json";
    if (!fs::exists(file) || !seen.insert(fs::canonical(file)).second) continue;
    all.push_back({name, parse_json(read_file(file, size_t{1} << 28), file.string())});
  }
  return all;
}

Json json_of(const Report& report) {
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
  if (report.distillations.empty()) return json;
  Json distillations = Json::make_object();
  for (const ReportedDistillation& d : report.distillations) distillations.set(d.name, d.json);
  return json.set("distillations", distillations);
}

Json run(const Options& o) {
  if (o.model.empty() && o.run.empty()) throw UsageError("expected --run, --model or both");
  if (!o.model.empty() && o.data.empty()) throw UsageError("expected --data with --model");
  Report report{.title = o.title, .threads = threads(), .kernels = simd::name_of(simd::level())};
  const std::vector<NamedFolder> runs = named_folders(o.run, "--run"),
                                 classifiers = named_folders(o.model, "--model");
  std::vector<NamedFolder> folders = runs;
  folders.insert(folders.end(), classifiers.begin(), classifiers.end());
  report.distillations = distillations_in(folders);
  for (const auto& [name, folder] : runs) {
    const fs::path log = folder / "training" / "log.jsonl";
    report.runs.push_back({.name = name, .log = read_training_log(log)});
  }
  measure_baselines_of(o, report);
  measure_models(o, classifiers, report);
  write_file(o.out, page_of(report));
  if (!report.models.empty() || !report.baselines.empty())
    std::printf("%s", table_of(report).c_str());
  return json_of(report);
}

}  // namespace

Action declare_report(Command& command) {
  auto o = std::make_shared<Options>();
  command.list("--run", o->run,
               "of each training run whose curves are shown, and the table that distill left",
               "NAME=FOLDER");
  command.list("--model", o->model,
               "of each classifier to measure; with what distill and prune left", "NAME=FOLDER");
  command.path("--data", o->data, "labelled examples to measure on");
  command.path("--train", o->train, "labelled examples that the baselines learn from");
  declare_task(command, o->task);
  command.text("--title", o->title, "of the page");
  command.path("--out", o->out, "HTML file to write");
  return [o] { return run(*o); };
}

}  // namespace ink::cli
