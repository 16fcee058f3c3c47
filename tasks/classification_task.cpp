// Classification as a task: a text or a pair of texts → one of the labels, judged by accuracy.
#include <algorithm>

#include "tasks/classification.h"
#include "tasks/split.h"
#include "tasks/task.h"
#include "tasks/text_task.h"
#include "tensor/error.h"
#include "tensor/keys.h"

namespace ink {
namespace {

// With one class there is nothing to learn, though its accuracy would be perfect.
void check_several_labels(const TaskSet& train, const std::string& source) {
  const Features& f = *train.features;
  for (int64_t i = 1; i < f.size(); ++i)
    if (f.label(i) != f.label(0)) return;
  fail("expected at least two labels, found only ", in_quotes(train.labels.name(f.label(0))),
       " in ", source);
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
  auto sets = read_both_texts(classification_set, data, LabelKind::one, known, seed, tokens);
  check_several_labels(sets.first, data.train.string());
  return sets;
}

TaskSet read(const std::filesystem::path& file, const ReadOptions& options, const Labels& labels,
             const TokenOptions& tokens) {
  return classification_set(read_examples(file, options, &labels), tokens);
}

std::vector<Json> predict_lines(const Model& model, const std::vector<std::string>& lines,
                                int64_t first_line, const TokenOptions& tokens) {
  const Labels labels = labels_of(model.config);
  const Features features(examples_of(lines, first_line), tokens.tokenizer, tokens.max_length);
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

bool done_by(const ModelConfig& config) { return solves(config, Problem::single_label); }

// Always the most frequent class.
Trivial trivial(const TaskSet& data) {
  std::vector<int64_t> counts(static_cast<size_t>(data.labels.size()));
  for (int64_t i = 0; i < data.features->size(); ++i)
    ++counts.at(static_cast<size_t>(data.features->label(i)));
  const auto most = std::ranges::max_element(counts);
  return {static_cast<double>(*most) / static_cast<double>(data.features->size()),
          "always " + data.labels.name(static_cast<int32_t>(most - counts.begin()))};
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
                         .judged_by = "accuracy",
                         .heads = {.classification = true},  // the pooler too, where it is read
                         .problem_type = "single_label_classification",
                         .done_by = done_by,
                         .labels_of = labels_of,
                         .set_dropout = set_text_dropout,
                         .read_both = read_both,
                         .read = read,
                         .loss = text_loss,
                         .predict = predict_lines,
                         .trivial = trivial,
                         .replayable = true};
  return task;
}

}  // namespace ink
