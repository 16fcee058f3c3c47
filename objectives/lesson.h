// Lesson: which model the pre-training job trains, and by which losses.
//
// lesson_of gives that of an objective: a model with the heads it needs, and their losses. Another
// lesson over the same texts, steps and checkpoints is that of a teacher (compress/distill_text.h).
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "autograd/trainer.h"
#include "objectives/losses.h"
#include "objectives/pretrain_model.h"
#include "tensor/json.h"

namespace ink {

struct Lesson {
  // Its first weights come from `random` where they come from nowhere else. All parameters of the
  // model's store are trained and kept in checkpoints, further ones than the model's own too.
  std::function<PretrainModel(const Random& random)> model;
  // Of a micro-batch of optimizer step `step`, from 0; as pretrain_losses().
  std::function<std::vector<LossTerm>(const PretrainModel& model, const PretrainBatch& batch,
                                      const EncoderOptions& options, const Random& samples,
                                      int64_t step)>
      losses;
  // Why they follow from more than the batch's numbers, by ops and with weights of 1
  // (autograd/trainer.h, ReplayableLoss); empty where they do not. Null: nobody knows.
  std::function<std::string(const PretrainModel& model, const PretrainBatch& batch)> obstacle = {};
  // How well the model does on held-out batches; nothing is recorded.
  std::function<Evaluation(const PretrainModel& model, std::span<const PretrainBatch> batches)>
      evaluate;
  std::function<void(const PretrainModel& model, const Tokenizer& tokenizer,
                     const std::filesystem::path& folder)>
      save;
  // What a resumed run must have in common beside PretrainOptions; null: nothing.
  Json fingerprint = {};
};

// The objective's own. A model that starts from a folder has that folder's config; `notice` is told
// of heads that the folder does not have.
Lesson lesson_of(const ModelConfig& config, const Objective& objective,
                 const std::filesystem::path& start_from, const Notice& notice = {});

}  // namespace ink
