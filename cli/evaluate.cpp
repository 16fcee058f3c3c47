// inkstone evaluate: a classifier's metrics on labelled text, and its predictions as a file.
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
};

void print_classes(const Labels& labels, const Confusion& confusion) {
  std::printf("%-16s %9s %9s %9s %9s\n", "class", "examples", "precision", "recall", "F1");
  for (int32_t c = 0; c < labels.size(); ++c) {
    const ClassMetrics m = confusion.of(c);
    std::printf("%-16s %9ld %9.3f %9.3f %9.3f\n", labels.name(c).c_str(),
                static_cast<long>(m.support), m.precision(), m.recall(), m.f1());
  }
}

void write_predictions(const std::string& path, const Examples& examples, const Labels& labels,
                       const Predictions& predictions) {
  std::string lines;
  for (size_t i = 0; i < examples.size(); ++i) {
    const auto row = static_cast<int64_t>(i);
    lines += Json::make_object(
                 {{"line", examples.items[i].line},
                  {"label", labels.name(examples.items[i].label)},
                  {"predicted", labels.name(predictions.labels[i])},
                  {"probability", predictions.of(row)[static_cast<size_t>(predictions.labels[i])]}})
                 .to_string() +
             '\n';
  }
  write_file(path, lines);
}

Json run(const Options& o) {
  check_output(o.predictions, {o.data, o.model});
  const Session session(o.model);
  const Labels labels = labels_of(session.model().config);
  const Examples examples = read_examples(o.data, read_options(o.task), &labels);
  const int64_t length = length_for(o.task.max_length, session.model().config.longest());
  const Features features(examples, load_tokenizer(o.model, session.model().config), length);
  notice(truncation_notice(features, "examples"));
  const Evaluated result = evaluate(session.model(), features);
  std::printf("%s\n", summary_of(result).c_str());
  print_classes(labels, result.confusion);
  if (!o.predictions.empty())
    write_predictions(o.predictions, examples, labels, result.predictions);
  return json_of(result);
}

}  // namespace

Action declare_evaluate(Command& command) {
  auto o = std::make_shared<Options>();
  command.path("--model", o->model, "fine-tuned model: a folder, or a name such as hfl/rbt3");
  command.path("--data", o->data, "labelled examples: TSV or JSON lines");
  command.path("--predictions", o->predictions,
               "also write a JSON line for each example to this file");
  declare_task(command, o->task);
  command.require("--model");
  command.require("--data");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
