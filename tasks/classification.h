// Classifying whole texts: logits, predictions and metrics of a model with a classification head.
//
// All functions only read the model, so any number of threads may call them. A Session's model
// (session.model()) is laid out for inference; one that is being trained serves as well.
#pragma once
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "nn/model.h"
#include "tasks/features.h"
#include "tasks/labels.h"
#include "tasks/metrics.h"
#include "tasks/task.h"
#include "text/tokenizer.h"

namespace ink {

bool classifies(const ModelConfig& config);  // whether its architectures name a classification head
// The labels of such a model; raises Error for another, also for regression and for
// several labels of one text.
Labels labels_of(const ModelConfig& config);
// Raises Error when sequences of `max_length` tokens are too long for the model.
void check_length(const ModelConfig& config, int64_t max_length);
// Raises Error when a job called `job` would write its result into the folder of its model.
void check_other_folder(const char* job, const std::filesystem::path& model,
                        const std::filesystem::path& out);
// The tokenizer of a model folder; raises Error when it has more tokens than the model.
Tokenizer load_tokenizer(const std::filesystem::path& folder, const ModelConfig& config);

// (B, classes) of a batch; dropout, in training, and how layers run are as the options say.
// Raises Error without the head.
Tensor classify(const Model& model, const Packed& batch, const EncoderOptions& options = {});

struct Predictions {
  int32_t classes = 0;
  std::vector<int32_t> labels;       // most probable class of each example
  std::vector<float> probabilities;  // (examples, classes)
  std::span<const float> of(int64_t example) const {
    return {probabilities.data() + example * classes, static_cast<size_t>(classes)};
  }
};

// In the order of the examples. On the CPU a result is the same bits in whatever batch its example
// stands. Raises Error where probabilities are no numbers.
Predictions predict(const Model& model, const Features& data,
                    const BatchPlan& plan = kInferencePlan);
Predictions predict(const LogitsOf& logits, const Features& data,
                    const BatchPlan& plan = kInferencePlan);

struct Evaluated {
  Predictions predictions;
  Confusion confusion{1};
  double loss = 0;  // mean of −log p(true class)
};
// Raises Error when an example has no label.
Evaluated evaluate(const Model& model, const Features& data,
                   const BatchPlan& plan = kInferencePlan);
Evaluated evaluate(const LogitsOf& logits, const Features& data,
                   const BatchPlan& plan = kInferencePlan);
Scores scores_of(const Evaluated& evaluated, const Labels& labels);

struct TaskExamples {
  Examples train, dev;
};
// With `labels` where the model already has them, else those of the training examples.
TaskExamples read_task(const TaskData& data, const Labels* labels, uint64_t seed);
// Examples as the task of classification has them (tasks/task.h).
TaskSet classification_set(Examples examples, const TokenOptions& tokens);

}  // namespace ink
