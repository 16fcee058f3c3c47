// inkstone predict: lines of text (a tab between members of a pair) → JSON lines with labels.
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
};

Json as_json(const Labels& labels, int32_t best, std::span<const float> probabilities) {
  Json all = Json::make_object();
  for (int32_t c = 0; c < labels.size(); ++c)
    all.set(labels.name(c), probabilities[static_cast<size_t>(c)]);
  return Json::make_object({{"label", labels.name(best)},
                            {"probability", probabilities[static_cast<size_t>(best)]},
                            {"probabilities", all}});
}

Json run(const Options& o) {
  const Session session(o.model);
  const Tokenizer tokenizer = load_tokenizer(o.model, session.model().config);
  const Labels labels = labels_of(session.model().config);
  const int64_t length = length_for(o.task.max_length, session.model().config.longest());
  int64_t lines = 0, truncated = 0;
  for_each_input_block("predict", 1024, [&](const std::vector<std::string>& block) {
    Examples examples{.items = {}, .labels = labels, .source = "standard input"};
    for (const std::string& line : block) {
      examples.items.push_back(example_of(line));
      examples.items.back().line = lines + static_cast<int64_t>(examples.size());
    }
    const Features features(examples, tokenizer, length);
    truncated += features.truncated();
    const Predictions p = predict(session.model(), features);
    for (size_t i = 0; i < block.size(); ++i) {
      write_line(as_json(labels, p.labels[i], p.of(static_cast<int64_t>(i))).to_string());
    }
    lines += static_cast<int64_t>(block.size());
  });
  notice(truncation_notice(truncated, lines, "lines", length));
  return Json::make_object({{"lines", lines}});
}

}  // namespace

Action declare_predict(Command& command) {
  auto o = std::make_shared<Options>();
  command.reads_lines();
  command.path("--model", o->model, "fine-tuned model: a folder, or a name such as hfl/rbt3");
  declare_task(command, o->task);
  command.require("--model");
  return with_model(command, o->model, [o] { return run(*o); });
}

}  // namespace ink::cli
