// inkstone evaluate: a fine-tuned model's metrics on labelled text, its predictions as a file.
#include <cstdio>
#include <memory>

#include "cli/length.h"
#include "cli/model_option.h"
#include "cli/output.h"
#include "cli/task_options.h"
#include "cli/verbs.h"
#include "nn/session.h"
#include "tensor/file.h"

namespace ink::cli {
namespace {

struct Options {
  TaskOptions task;
  std::string model, data, predictions;
  double threshold = 0.5;
};

void print_classes(const Scores& scores) {
  if (scores.classes.empty()) return;
  std::printf("%-16s %9s %9s %9s %9s\n", "class", "examples", "precision", "recall", "F1");
  for (const auto& [name, m] : scores.classes) {
    std::printf("%-16s %9ld %9.3f %9.3f %9.3f\n", name.c_str(), static_cast<long>(m.support),
                m.precision(), m.recall(), m.f1());
  }
}

void write_predictions(const std::string& path, const Judged& judged) {
  std::string lines;
  for (int64_t i = 0; i < judged.scores.examples; ++i)
    lines += judged.prediction(i).to_string() + '\n';
  write_file(path, lines);
}

Json run(const Options& o) {
  check_output(o.predictions, {o.data, o.model});
  const Task& task = task_named(o.task.task);
  const Session session(o.model);
  const ModelConfig& config = session.model().config;
  const Labels labels = task.labels_of(config);
  const int64_t length = length_for(o.task.max_length, config.longest());
  const Tokenizer tokenizer = load_tokenizer(o.model, config);
  const TaskSet data =
      task.read(o.data, read_options(o.task), labels, {tokenizer, length, o.threshold});
  notice(truncation_notice(*data.features, "examples"));
  const Judged judged = data.judge(session.model());
  std::printf("%s\n", summary_of(judged.scores).c_str());
  print_classes(judged.scores);
  if (!o.predictions.empty()) write_predictions(o.predictions, judged);
  return json_of(judged.scores);
}

}  // namespace

Action declare_evaluate(Command& command) {
  command.infers_on_devices();
  auto o = std::make_shared<Options>();
  command.path("--model", o->model, "fine-tuned model: a folder, or a name such as hfl/rbt3");
  command.path("--data", o->data, kExamplesHelp);
  command.path("--predictions", o->predictions,
               "also write a JSON line for each example to this file");
  declare_task(command, o->task, true);
  declare_threshold(command, o->threshold, o->task);
  command.require("--model");
  command.require("--data");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
