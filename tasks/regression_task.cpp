// Regression as a task: a text or a pair of texts → a number, judged by correlation with the true
// ones (STS-B and the like).
#include <algorithm>
#include <memory>

#include "tasks/classification.h"
#include "tasks/correlation.h"
#include "tasks/task.h"
#include "tasks/text_task.h"
#include "tensor/error.h"

namespace ink {
namespace {

// Where all are the same there is nothing to learn, and no correlation.
void check_different_numbers(const TaskSet& train) {
  const Features& f = *train.features;
  for (int64_t i = 1; i < f.size(); ++i)
    if (f[i].numbers != f[0].numbers) return;
  fail("expected different numbers as labels of the training examples, found only ",
       f[0].numbers.front());
}

Scores scores_of(const TextLogits& said, const Features& data) {
  std::vector<double> truth, guess;
  double squares = 0;
  for (int64_t i = 0; i < data.size(); ++i) {
    check(data.labelled(i), "evaluate: example ", i + 1, " has no label");
    truth.push_back(data[i].numbers.front());
    guess.push_back(*said.of(i));
    squares += (guess.back() - truth.back()) * (guess.back() - truth.back());
  }
  const double r = pearson(truth, guess);
  return {.score = r,
          .metrics = {{"pearson", r},
                      {"spearman", spearman(truth, guess)},
                      {"loss", squares / static_cast<double>(data.size())}},
          .examples = data.size()};
}

TaskSet regression_set(Examples examples, const TokenOptions& tokens) {
  const auto features =
      std::make_shared<const Features>(examples, tokens.tokenizer, tokens.max_length);
  const auto judge = [features](const LogitsOf& logits) -> Judged {
    const TextLogits said = logits_of_all(logits, *features);
    return {scores_of(said, *features), [features, said](int64_t i) {
              return Json::make_object({{"line", features->line(i)},
                                        {"score", (*features)[i].numbers.front()},
                                        {"predicted", *said.of(i)}});
            }};
  };
  return {std::move(examples.labels), features, judge, classify};
}

std::pair<TaskSet, TaskSet> read_both(const TaskData& data, const Labels* known, uint64_t seed,
                                      const TokenOptions& tokens) {
  auto sets = read_both_texts(regression_set, data, LabelKind::number, known, seed, tokens);
  check_different_numbers(sets.first);
  return sets;
}

TaskSet read(const std::filesystem::path& file, const ReadOptions& options, const Labels& labels,
             const TokenOptions& tokens) {
  ReadOptions read = options;
  read.kind = LabelKind::number;
  return regression_set(read_examples(file, read, &labels), tokens);
}

bool done_by(const ModelConfig& config) { return solves(config, Problem::regression); }

Labels labels_for(const ModelConfig& config) {
  check_solves(config, Problem::regression);
  check(config.label_count() == 1, "labels: expected a model that gives each text one number, got ",
        config.label_count(), " labels in config.json");
  return labels_in(config);
}

std::vector<Json> predict(const Model& model, const std::vector<std::string>& lines,
                          int64_t first_line, const TokenOptions& tokens) {
  labels_for(model.config);
  const Features features(examples_of(lines, first_line), tokens.tokenizer, tokens.max_length);
  const TextLogits said = logits_of_all(logits_by(model), features);
  std::vector<Json> all;
  for (int64_t i = 0; i < features.size(); ++i) {
    all.push_back(Json::make_object({{"score", *said.of(i)}}));
    if (features[i].truncated) all.back().set("truncated", true);
  }
  return all;
}

}  // namespace

const Task& regression_task() {
  static const Task task{
      .name = "regression",
      .judged_by = "Pearson correlation",
      .heads = {.classification = true},
      .problem_type = "regression",
      .done_by = done_by,
      .labels_of = labels_for,
      .set_dropout = set_text_dropout,
      .read_both = read_both,
      .read = read,
      .loss = text_loss,
      .predict = predict,
      .trivial =
          [](const TaskSet&) { return Trivial{.score = 0, .says = "always the same number"}; },
      .replayable = true};
  return task;
}

}  // namespace ink
