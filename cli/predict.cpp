// inkstone predict: lines of text → JSON lines with what a fine-tuned model says of them.
//
// A tab in a line stands between the members of a pair.
#include <memory>

#include "cli/length.h"
#include "cli/lines.h"
#include "cli/model_option.h"
#include "cli/task_options.h"
#include "cli/verbs.h"
#include "nn/session.h"

namespace ink::cli {
namespace {

struct Options {
  TaskOptions task;
  std::string model;
  double threshold = 0.5;
};

Json run(const Options& o) {
  const Task& task = task_named(o.task.task);
  const Session session(o.model);
  const Model& model = session.model();
  const Tokenizer tokenizer = load_tokenizer(o.model, model.config);
  task.labels_of(model.config);
  const int64_t length = length_for(o.task.max_length, model.config.longest());
  int64_t lines = 0;
  for_each_input_block("predict", 1024, [&](const std::vector<std::string>& block) {
    for (const Json& line : task.predict(model, block, lines + 1, {tokenizer, length, o.threshold}))
      write_line(line.to_string());
    lines += std::ssize(block);
  });
  return Json::make_object({{"lines", lines}});
}

}  // namespace

Action declare_predict(Command& command) {
  command.infers_on_devices();
  auto o = std::make_shared<Options>();
  command.reads_lines();
  command.path("--model", o->model, "fine-tuned model: a folder, or a name such as hfl/rbt3");
  declare_task(command, o->task, true);
  declare_threshold(command, o->threshold, o->task);
  command.require("--model");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
