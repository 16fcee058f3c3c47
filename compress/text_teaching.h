// The lesson of a teacher: a student and its losses, for the pre-training job.
//
//   TextTeaching teaching(options, setting, load_text_teacher(options.teacher, setting.config));
//   const Lesson lesson = teaching.lesson();
//
// Both models read the corrupted tokens of a batch; logits are computed of the predicted rows
// alone. Nothing of the teacher is recorded on a tape.
#pragma once
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "compress/distillation_loss.h"
#include "compress/text_setting.h"
#include "nn/session.h"
#include "objectives/lesson.h"

namespace ink {

// Refers to options and setting.
class TextTeaching {
 public:
  TextTeaching(const DistillTextOptions& options, const TextSetting& setting, Model teacher);
  TextTeaching(const TextTeaching&) = delete;  // lessons refer to this object
  TextTeaching& operator=(const TextTeaching&) = delete;

  // The student that it makes has the projections of matches in its store, too; what it saves has
  // not.
  Lesson lesson();

 private:
  PretrainModel student(const Random& random);
  ModelOutputs of_teacher(const PretrainBatch& batch) const;
  std::vector<LossTerm> losses(const Model& student, const PretrainBatch& batch,
                               const EncoderOptions& options, int64_t step) const;
  Evaluation evaluate(const PretrainModel& student, std::span<const PretrainBatch> batches) const;

  const DistillTextOptions& options_;
  const DistillationConfig& config_;
  const Json fingerprint_;
  const Session teacher_;
  std::optional<DistillationLoss> loss_;
};

}  // namespace ink
