// What tasks about whole texts share, whatever their head says: one class, several labels, a
// number.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "nn/model.h"
#include "tasks/examples.h"
#include "tasks/features.h"
#include "tasks/task.h"

namespace ink {

// Whether the architectures name a classification head, and its problem_type is this one.
bool solves(const ModelConfig& config, Problem problem);
// Raises Error, saying which task the model does, unless it does.
void check_solves(const ModelConfig& config, Problem problem);
// The name of the task of a problem, as --task has it.
const char* task_of(Problem problem);
Labels labels_in(const ModelConfig& config);  // LABEL_0 and LABEL_1 where config.json names none

// Training and development examples as `make` has them; of one file, those of dev are a part of
// train.
using MakeTextSet = TaskSet (*)(Examples examples, const TokenOptions& tokens);
std::pair<TaskSet, TaskSet> read_both_texts(MakeTextSet make, TaskData data, LabelKind kind,
                                            const Labels* known, uint64_t seed,
                                            const TokenOptions& tokens);

// Lines without labels as examples, the first of which is number `first_line`.
Examples examples_of(const std::vector<std::string>& lines, int64_t first_line);

// The mean loss of the head, weighted by the number of texts.
MicroLoss text_loss(const Model& model, const FeatureBatch& batch, const EncoderOptions& options);
void set_text_dropout(Model& model, double probability);

// What a model says of each example, f32 on the host, in their order; computed on the CPU, the same
// bits in whatever batch an example stands. Raises Error where it is no number.
struct TextLogits {
  int64_t width = 0;
  std::vector<float> values;  // (examples, width)
  const float* of(int64_t example) const { return values.data() + example * width; }
};
TextLogits logits_of_all(const LogitsOf& logits, const Features& data);
LogitsOf logits_by(const Model& model);

}  // namespace ink
