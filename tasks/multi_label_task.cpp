// Several labels as a task: a text or a pair of texts → none, one or more of the labels, each by a
// probability of its own, judged by F1.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "tasks/classification.h"
#include "tasks/task.h"
#include "tasks/text_task.h"
#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

double sigmoid_of(double x) { return 1 / (1 + std::exp(-x)); }

// −log of what the model gives to label (t = 1) or no label (t = 0): log(1 + e^±x).
double loss_of(double x, bool t) {
  return std::max(x, 0.0) - x * t + std::log1p(std::exp(-std::abs(x)));
}

// Which of the labels have a probability of at least `threshold`.
std::vector<bool> chosen(const float* logits, int64_t labels, double threshold) {
  std::vector<bool> chosen;
  for (int64_t c = 0; c < labels; ++c) chosen.push_back(sigmoid_of(logits[c]) >= threshold);
  return chosen;
}

std::vector<bool> truth_of(const Feature& feature) {
  std::vector<bool> truth;
  for (const float t : feature.numbers) truth.push_back(t > 0);
  return truth;
}

Json names_of(const std::vector<bool>& which, const Labels& labels) {
  Json names = Json::make_array();
  for (int32_t c = 0; c < labels.size(); ++c)
    if (which[static_cast<size_t>(c)]) names.append(labels.name(c));
  return names;
}

struct Counts {
  std::vector<ClassMetrics> of;  // each label
  int64_t exact = 0;             // examples with just their labels
  double loss = 0;               // mean over examples and labels
};

Counts counts_of(const TextLogits& said, const Features& data, double threshold) {
  const int64_t L = said.width;
  Counts counts{.of = std::vector<ClassMetrics>(static_cast<size_t>(L))};
  for (int64_t i = 0; i < data.size(); ++i) {
    check(data.labelled(i), "evaluate: example ", i + 1, " has no label");
    const std::vector<bool> truth = truth_of(data[i]), guess = chosen(said.of(i), L, threshold);
    counts.exact += truth == guess;
    for (size_t c = 0; c < truth.size(); ++c) {
      counts.of[c].support += truth[c];
      counts.of[c].predicted += guess[c];
      counts.of[c].correct += truth[c] && guess[c];
      counts.loss += loss_of(said.of(i)[c], truth[c]) / static_cast<double>(data.size() * L);
    }
  }
  return counts;
}

Scores scores_of(const Counts& counts, const Labels& labels, int64_t examples) {
  ClassMetrics all;
  double sum = 0, occurring = 0;  // as in Confusion::macro_f1
  Scores scores{.examples = examples};
  for (int32_t c = 0; c < labels.size(); ++c) {
    const ClassMetrics& m = counts.of[static_cast<size_t>(c)];
    all.support += m.support;
    all.predicted += m.predicted;
    all.correct += m.correct;
    sum += m.f1();
    occurring += m.support + m.predicted > 0;
    scores.classes.emplace_back(labels.name(c), m);
  }
  scores.score = all.f1();
  scores.metrics = {
      {"micro_f1", all.f1()},
      {"macro_f1", occurring > 0 ? sum / occurring : 0},
      {"exact_match", static_cast<double>(counts.exact) / static_cast<double>(examples)},
      {"loss", counts.loss}};
  return scores;
}

TaskSet multi_label_set(Examples examples, const TokenOptions& tokens) {
  const auto features =
      std::make_shared<const Features>(examples, tokens.tokenizer, tokens.max_length);
  const auto judge = [features, labels = examples.labels,
                      threshold = tokens.threshold](const LogitsOf& logits) -> Judged {
    const TextLogits said = logits_of_all(logits, *features);
    const Counts counts = counts_of(said, *features, threshold);
    return {scores_of(counts, labels, features->size()), [=](int64_t i) {
              return Json::make_object(
                  {{"line", features->line(i)},
                   {"labels", names_of(truth_of((*features)[i]), labels)},
                   {"predicted", names_of(chosen(said.of(i), said.width, threshold), labels)}});
            }};
  };
  return {std::move(examples.labels), features, judge, classify};
}

// Without any label in the training examples there is nothing to learn.
std::pair<TaskSet, TaskSet> read_both(const TaskData& data, const Labels* known, uint64_t seed,
                                      const TokenOptions& tokens) {
  auto sets = read_both_texts(multi_label_set, data, LabelKind::several, known, seed, tokens);
  const Features& train = *sets.first.features;
  for (int64_t i = 0; i < train.size(); ++i)
    if (std::ranges::count(train[i].numbers, 1.0F) > 0) return sets;
  fail("expected labels in ", data.train.string(), ", found examples without any only");
}

TaskSet read(const std::filesystem::path& file, const ReadOptions& options, const Labels& labels,
             const TokenOptions& tokens) {
  ReadOptions read = options;
  read.kind = LabelKind::several;
  return multi_label_set(read_examples(file, read, &labels), tokens);
}

bool done_by(const ModelConfig& config) { return solves(config, Problem::multi_label); }

Labels labels_for(const ModelConfig& config) {
  check_solves(config, Problem::multi_label);
  return labels_in(config);
}

std::vector<Json> predict(const Model& model, const std::vector<std::string>& lines,
                          int64_t first_line, const TokenOptions& tokens) {
  const Labels labels = labels_for(model.config);
  const Features features(examples_of(lines, first_line), tokens.tokenizer, tokens.max_length);
  const TextLogits said = logits_of_all(logits_by(model), features);
  std::vector<Json> all;
  for (int64_t i = 0; i < features.size(); ++i) {
    Json probabilities = Json::make_object();
    for (int32_t c = 0; c < labels.size(); ++c)
      probabilities.set(labels.name(c), static_cast<float>(sigmoid_of(said.of(i)[c])));
    all.push_back(Json::make_object(
        {{"labels", names_of(chosen(said.of(i), said.width, tokens.threshold), labels)},
         {"probabilities", probabilities}}));
    if (features[i].truncated) all.back().set("truncated", true);
  }
  return all;
}

// The labels of one and the same answer with the best F1 are the k most frequent ones for some k.
Trivial trivial(const TaskSet& data) {
  std::vector<int64_t> counts(static_cast<size_t>(data.labels.size()));
  for (int64_t i = 0; i < data.features->size(); ++i)
    for (size_t c = 0; c < counts.size(); ++c) counts[c] += (*data.features)[i].numbers[c] > 0;
  std::vector<int32_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater(),
                           [&](int32_t c) { return counts[static_cast<size_t>(c)]; });
  ClassMetrics all{.support = std::accumulate(counts.begin(), counts.end(), int64_t{0})};
  Trivial best;
  std::string names;
  for (const int32_t c : order) {
    names += (names.empty() ? "" : ", ") + data.labels.name(c);
    all.predicted += data.features->size();
    all.correct += counts[static_cast<size_t>(c)];
    if (all.f1() > best.score) best = {.score = all.f1(), .says = "always " + names};
  }
  return best;
}

}  // namespace

const Task& multi_label_task() {
  static const Task task{.name = "multi-label",
                         .judged_by = "micro F1",
                         .heads = {.classification = true},
                         .problem_type = "multi_label_classification",
                         .done_by = done_by,
                         .labels_of = labels_for,
                         .set_dropout = set_text_dropout,
                         .read_both = read_both,
                         .read = read,
                         .loss = text_loss,
                         .predict = predict,
                         .trivial = trivial,
                         .replayable = true};
  return task;
}

}  // namespace ink
