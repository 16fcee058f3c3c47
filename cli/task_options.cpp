// Declarations that the task verbs share.
#include "cli/task_options.h"

#include <algorithm>

#include "cli/format.h"
#include "cli/length.h"
#include "tasks/score_text.h"

namespace ink::cli {

void declare_task(Command& command, TaskOptions& o, bool several) {
  std::vector<std::string> names;
  for (const Task* task : tasks())
    if (several || task == &classification_task()) names.emplace_back(task->name);
  command.choice("--task", o.task, names, "the kind of task");
  command.text("--columns", o.columns,
               "roles of TSV fields, as label,text or text,pair,label ('-' skips one); default: "
               "by the header, which is a first line with a field named text, text_a, sentence, "
               "sentence1, premise, question1, title, label, class or category; without one "
               "text, or label,text, or text,pair,label by their number. Multi-label also has "
               "labels, regression score and similarity_score");
  declare_length(command, o.max_length);
  command.refuses([&] {
    if (command.given("--columns") && !task_named(o.task).heads.classification)
      throw UsageError("--columns: says nothing about --task " + o.task +
                       ", whose files have no such fields");
  });
}

ReadOptions read_options(const TaskOptions& o) { return {.columns = o.columns}; }

void declare_threshold(Command& command, double& threshold, const TaskOptions& o) {
  command.option("--threshold", threshold,
                 "of multi-label: the probability from which on a label is given", kShare);
  command.refuses([&] {
    if (command.given("--threshold") && &task_named(o.task) != &multi_label_task())
      throw UsageError("--threshold: says nothing about --task " + o.task +
                       "; it is for --task multi-label");
  });
}

void declare_fit(Command& command, FitOptions& o) {
  command.section("Training");
  command.option("--epochs", o.epochs, "passes over the training examples", kOneOrMore);
  command.option("--steps", o.steps, "instead of epochs; 0 = as --epochs says");
  command.option("--batch-size", o.batch_size, "examples of a micro-batch", kOneOrMore);
  command.option("--batch-tokens", o.max_tokens, "tokens of a micro-batch at most", kOneOrMore);
  command.option("--accumulate", o.accumulate, "micro-batches of a step", kOneOrMore);
  command.option("--learning-rate", o.learning_rate, "at its highest", kAboveZero);
  command.option("--warmup", o.warm_up, "share of the steps in which the rate rises", kShare);
  command.option("--weight-decay", o.weight_decay, "of matrices");
  command.option("--clip", o.clip_norm, "longest gradient (global norm); 0 = never clipped");
  command.flag("--recompute", o.recompute, kRecomputeHelp);
  command.flag("--graphs", o.graphs, kGraphsHelp);
  command.flag("--fill", o.fill, kFillHelp);
  command.option("--evaluate-every", o.evaluate_every,
                 "steps between evaluations; 0 = after each epoch");
  command.option("--early-stop", o.early_stop,
                 "end after so many evaluations without a better one; 0 = never");
  command.option("--keep-best", o.keep_best,
                 "also keep so many of the best models, each in a folder gs<step> of --out");
  command.option("--log-every", o.log_every, "steps in a line of the log", kOneOrMore);
  command.flag("--tensorboard", o.event_file, "also write an event file for TensorBoard");
  command.flag("--resume", o.resume, "go on from the newest checkpoint in --out");
}

TaskHooks hooks_of(ProgressDisplay& display) {
  return {.progress = [&](const Progress& p) { display.show(p); },
          .notice = [&](const std::string& sentence) { display.say(sentence); }};
}

namespace {

// "macro_f1" → "macro F1"
std::string in_words(std::string name) {
  std::ranges::replace(name, '_', ' ');
  if (name.ends_with("f1")) name[name.size() - 2] = 'F';
  return name;
}

}  // namespace

std::string summary_of(const Scores& scores) {
  std::string text;
  for (const auto& [name, value] : scores.metrics) {
    if (name == "loss") continue;
    if (!text.empty()) text += ", ";
    text += in_words(name) + ' ' + score_text(name, value);
  }
  return text + formatted(" on %ld examples", static_cast<long>(scores.examples));
}

Json json_of(const Scores& scores) {
  Json json = Json::make_object();
  for (const auto& [name, value] : scores.metrics) json.set(name, value);
  return json.set("examples", scores.examples);
}

}  // namespace ink::cli
