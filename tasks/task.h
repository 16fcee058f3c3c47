// Task: what training, evaluation and prediction know of one kind of task, as a table of functions.
//
// finetune() (tasks/finetune.h) and the program run any of them. A further task is one more file
// that defines such a table, and its line in task.cpp:
//
//   const Task& task = task_named("tagging");
//   const TaskSet data = task.read("dev.txt", {}, task.labels_of(config), {tokenizer, 256});
//   const Judged judged = data.judge(model);
//   judged.scores.metrics;      // {"precision", 0.95}, {"recall", …}, {"f1", …}, {"loss", …}
//   judged.prediction(0);       // what the model says of the first example, as JSON
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "autograd/trainer.h"
#include "nn/model.h"
#include "tasks/examples.h"
#include "tasks/features.h"
#include "tasks/labels.h"
#include "tasks/metrics.h"

namespace ink {

struct Scores {
  double score = 0;      // what the best epoch is chosen by, one of the metrics
  Metrics metrics = {};  // shares of 1, and "loss"
  std::vector<std::pair<std::string, ClassMetrics>> classes = {};  // of each class or type
  int64_t examples = 0;
  double metric(const std::string& name) const;  // raises Error where there is none
};
// What the trainer compares and logs: the metrics, the loss as "dev_loss".
Evaluation evaluation_of(const Scores& scores);

// What a model says about a set of examples, measured and one by one.
struct Judged {
  Scores scores;
  std::function<Json(int64_t example)> prediction;
};

// What a model, or several together, say of a batch: (B, classes); of tokens (N, tags) or (N, 2).
using LogitsOf = std::function<Tensor(const FeatureBatch& batch)>;

// The examples of a file, made ready for a model.
struct TaskSet {
  Labels labels;
  std::shared_ptr<const Features> features;
  std::function<Judged(const LogitsOf& logits)> judge_logits;  // keeps the examples themselves
  // The same of one model. Raises Error without the head.
  Tensor (*logits)(const Model& model, const Packed& batch, const EncoderOptions& options);
  Judged judge(const Model& model) const;
};

// Where training and development examples lie.
struct TaskData {
  std::filesystem::path train, dev;  // dev empty: a part of train, see dev_fraction
  ReadOptions read = {};
  double dev_fraction = 0.1;  // of train, in whole groups (tasks/split.h)
};

// How a model reads texts, and from when on it is taken to say something.
struct TokenOptions {
  const Tokenizer& tokenizer;
  int64_t max_length = 128;  // tokens of a sequence
  double threshold = 0.5;    // where several labels may be given: their least probability
};

// What whoever knows nothing reaches by the best of constant answers.
struct Trivial {
  double score = 0;
  std::string says = "nothing";
};

struct Task {
  const char* name;          // of --task
  const char* judged_by;     // which metric the score is, for people
  Heads heads;               // what it puts on a body
  const char* problem_type;  // for config.json; empty where the head has none
  // Whether a model has been trained for this task, and its labels then; labels_of raises Error
  // that says what to do where it has not.
  bool (*done_by)(const ModelConfig& config);
  Labels (*labels_of)(const ModelConfig& config);
  void (*set_dropout)(Model& model, double probability);  // of the head
  // Training and development examples; `known` are the labels of a model that goes on learning,
  // null to find them in the data.
  std::pair<TaskSet, TaskSet> (*read_both)(const TaskData& data, const Labels* known, uint64_t seed,
                                           const TokenOptions& tokens);
  TaskSet (*read)(const std::filesystem::path& file, const ReadOptions& options,
                  const Labels& labels, const TokenOptions& tokens);
  MicroLoss (*loss)(const Model& model, const FeatureBatch& batch, const EncoderOptions& options);
  // What the model says of lines without labels, the first of which is number `first_line`.
  std::vector<Json> (*predict)(const Model& model, const std::vector<std::string>& lines,
                               int64_t first_line, const TokenOptions& tokens);
  Trivial (*trivial)(const TaskSet& data);
  // Whether `loss` is a mean over examples, by ops on a batch's tensors alone (tasks/replay.h).
  bool replayable = false;
};

// One a file of tasks/.
const Task& classification_task();
const Task& multi_label_task();
const Task& reading_task();
const Task& regression_task();
const Task& tagging_task();
const Task& word_order_task();

// All of them.
std::span<const Task* const> tasks();
// Raises Error for an unknown name, with the known ones.
const Task& task_named(const std::string& name);

}  // namespace ink
