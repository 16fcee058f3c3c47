// Classification as a task: a text or a pair of texts → one of the labels, judged by accuracy.
#include <algorithm>

#include "tasks/classification.h"
#include "tasks/split.h"
#include "tasks/task.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

// With one class there is nothing to learn, though its accuracy would be perfect.
void check_several_labels(const Examples& train) {
  if (train.items.empty()) return;  // Features says so
  const int32_t first = train.items.front().label;
  const auto is_first = [&](const Example& e) { return e.label == first; };
  if (std::ranges::all_of(train.items, is_first))
    fail("expected at least two labels, found only ", in_quotes(train.labels.name(first)), " in ",
         train.source);
}

Json prediction_of(const Example& example, const Labels& labels, const Predictions& p, int64_t i) {
  const int32_t best = p.labels[static_cast<size_t>(i)];
  return Json::make_object({{"line", example.line},
                            {"label", labels.name(example.label)},
                            {"predicted", labels.name(best)},
                            {"probability", p.of(i)[static_cast<size_t>(best)]}});
}

std::pair<TaskSet, TaskSet> read_both(const TaskData& data, const Labels* known, uint64_t seed,
                                      const TokenOptions& tokens) {
  TaskExamples examples = read_task(data, known, seed);
  check_several_labels(examples.train);
  TaskSet train = classification_set(std::move(examples.train), tokens);
  return {std::move(train), classification_set(std::move(examples.dev), tokens)};
}

TaskSet read(const std::filesystem::path& file, const ReadOptions& options, const Labels& labels,
             const TokenOptions& tokens) {
  return classification_set(read_examples(file, options, &labels), tokens);
}

MicroLoss loss(const Model& model, const FeatureBatch& batch, const EncoderOptions& options) {
  const Tensor logits = classify(model, batch.inputs, options);
  return {.loss = model.classification->loss(logits, batch.labels),
          .weight = static_cast<double>(batch.rows.size()),
          .tokens = batch.inputs.tokens()};
}

std::vector<Json> predict_lines(const Model& model, const std::vector<std::string>& lines,
                                int64_t first_line, const TokenOptions& tokens) {
  const Labels labels = labels_of(model.config);
  Examples examples{.items = {}, .labels = labels, .source = "standard input"};
  for (const std::string& line : lines) {
    examples.items.push_back(example_of(line));
    examples.items.back().line = first_line++;
  }
  const Features features(examples, tokens.tokenizer, tokens.max_length);
  const Predictions p = predict(model, features);
  std::vector<Json> all;
  for (int64_t i = 0; i < std::ssize(lines); ++i) {
    const int32_t best = p.labels[static_cast<size_t>(i)];
    Json probabilities = Json::make_object();
    for (int32_t c = 0; c < labels.size(); ++c)
      probabilities.set(labels.name(c), p.of(i)[static_cast<size_t>(c)]);
    all.push_back(Json::make_object({{"label", labels.name(best)},
                                     {"probability", p.of(i)[static_cast<size_t>(best)]},
                                     {"probabilities", probabilities}}));
    if (features[i].truncated) all.back().set("truncated", true);
  }
  return all;
}

void set_dropout(Model& model, double probability) {
  model.config.classifier_dropout = probability;
  model.classification->scores.dropout_probability = probability;
}

}  // namespace

TaskSet classification_set(Examples examples, const TokenOptions& tokens) {
  const auto kept = std::make_shared<const Examples>(std::move(examples));
  const auto features =
      std::make_shared<const Features>(*kept, tokens.tokenizer, tokens.max_length);
  const auto judge = [kept, features](const LogitsOf& logits) -> Judged {
    const auto result = std::make_shared<const Evaluated>(evaluate(logits, *features));
    return {scores_of(*result, kept->labels), [kept, result](int64_t i) {
              const Example& example = kept->items[static_cast<size_t>(i)];
              return prediction_of(example, kept->labels, result->predictions, i);
            }};
  };
  return {kept->labels, features, judge, classify};
}

Scores scores_of(const Evaluated& evaluated, const Labels& labels) {
  const Confusion& c = evaluated.confusion;
  Scores scores{
      .score = c.accuracy(),
      .metrics = {{"accuracy", c.accuracy()}, {"macro_f1", c.macro_f1()}, {"loss", evaluated.loss}},
      .examples = c.total()};
  for (int32_t i = 0; i < labels.size(); ++i) scores.classes.emplace_back(labels.name(i), c.of(i));
  return scores;
}

TaskExamples read_task(const TaskData& data, const Labels* labels, uint64_t seed) {
  TaskExamples examples{read_examples(data.train, data.read, labels), {}};
  if (data.dev.empty()) {
    auto [rest, part] = split_by_group(examples.train, data.dev_fraction, Random(seed));
    return {std::move(rest), std::move(part)};
  }
  examples.dev = read_examples(data.dev, data.read, &examples.train.labels);
  return examples;
}

const Task& classification_task() {
  static const Task task{.name = "classification",
                         .heads = {.classification = true},  // the pooler too, where it is read
                         .problem_type = "single_label_classification",
                         .done_by = classifies,
                         .labels_of = labels_of,
                         .set_dropout = set_dropout,
                         .read_both = read_both,
                         .read = read,
                         .loss = loss,
                         .predict = predict_lines};
  return task;
}

}  // namespace ink
