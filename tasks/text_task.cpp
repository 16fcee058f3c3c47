// Heads on whole texts: which task they are for, their examples, losses and outputs.
#include "tasks/text_task.h"

#include <algorithm>
#include <cmath>

#include "autograd/tape.h"
#include "tasks/classification.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

Problem problem_of(const ModelConfig& config) {
  return problem_from(config.problem_type, config.label_count());
}

}  // namespace

bool solves(const ModelConfig& config, Problem problem) {
  return classifies(config) && problem_of(config) == problem;
}

void check_solves(const ModelConfig& config, Problem problem) {
  const std::string wanted = architectures_of(*config.family, {.classification = true}).front();
  check(classifies(config), "labels: this model does not classify (its config.json names ",
        config.architectures.empty() ? "no class" : config.architectures.front(), ", not ", wanted,
        "); run inkstone finetune",
        problem == Problem::single_label ? "" : std::string(" --task ") + task_of(problem),
        " first");
  const std::string& type = config.problem_type;
  check(problem_of(config) == problem, "labels: expected a model of the task ", task_of(problem),
        ", got problem_type ",
        !type.empty()              ? type
        : config.label_count() > 1 ? "single_label_classification (several labels)"
                                   : "regression (one label)",
        "; its task (--task) is ", task_of(problem_of(config)));
}

const char* task_of(Problem problem) {
  switch (problem) {
    case Problem::single_label: return "classification";
    case Problem::multi_label: return "multi-label";
    case Problem::regression: return "regression";
  }
  fail("task: unknown problem ", static_cast<int>(problem));
}

Labels labels_in(const ModelConfig& config) {
  // Two labels with names that say nothing are left out of config.json by transformers.
  if (config.labels.empty()) return Labels({"LABEL_0", "LABEL_1"});
  return Labels(config.labels);
}

std::pair<TaskSet, TaskSet> read_both_texts(MakeTextSet make, TaskData data, LabelKind kind,
                                            const Labels* known, uint64_t seed,
                                            const TokenOptions& tokens) {
  data.read.kind = kind;
  TaskExamples examples = read_task(data, known, seed);
  TaskSet train = make(std::move(examples.train), tokens);
  return {std::move(train), make(std::move(examples.dev), tokens)};
}

Examples examples_of(const std::vector<std::string>& lines, int64_t first_line) {
  Examples examples{.items = {}, .labels = {}, .source = "standard input"};
  for (const std::string& line : lines) {
    examples.items.push_back(example_of(line));
    examples.items.back().line = first_line++;
  }
  return examples;
}

MicroLoss text_loss(const Model& model, const FeatureBatch& batch, const EncoderOptions& options) {
  const Tensor logits = classify(model, batch.inputs, options);
  return {.loss = model.classification->loss(logits, batch.labels),
          .weight = static_cast<double>(batch.rows.size()),
          .tokens = batch.tokens()};
}

void set_text_dropout(Model& model, double probability) {
  model.config.classifier_dropout = probability;
  model.classification->scores.dropout_probability = probability;
}

TextLogits logits_of_all(const LogitsOf& logits, const Features& data) {
  const Pause pause;
  TextLogits all;
  for (const std::vector<int64_t>& rows : data.plan(kInferencePlan)) {
    const Tensor said = on_host(logits(data.batch(rows)));  // (B, L)
    all.width = said.dim(1);
    all.values.resize(static_cast<size_t>(data.size() * all.width));
    for (size_t b = 0; b < rows.size(); ++b)
      std::copy_n(said.data<float>() + static_cast<int64_t>(b) * all.width, all.width,
                  all.values.begin() + rows[b] * all.width);
  }
  for (int64_t i = 0; i < data.size(); ++i)
    check(std::all_of(all.of(i), all.of(i) + all.width, [](float x) { return std::isfinite(x); }),
          "the model gives nan for line ", data.line(i), "; its weights may be damaged");
  return all;
}

LogitsOf logits_by(const Model& model) {
  return [&model](const FeatureBatch& batch) { return classify(model, batch.inputs); };
}

}  // namespace ink
