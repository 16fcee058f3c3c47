// The lesson of an objective, put together from model, losses and evaluation.
#include "objectives/lesson.h"

#include "objectives/pretrain_evaluation.h"

namespace ink {

Lesson lesson_of(const ModelConfig& config, const Objective& objective,
                 const std::filesystem::path& start_from, const Notice& notice) {
  return {.model =
              [=](const Random& random) {
                return make_pretrain_model(config, objective, start_from, random, notice);
              },
          .losses = [](const PretrainModel& model, const PretrainBatch& batch,
                       const EncoderOptions& options, const Random& samples,
                       int64_t) { return pretrain_losses(model, batch, options, samples); },
          .obstacle = obstacle_to_replay,
          .evaluate = evaluate_pretraining,
          .save = save_pretrain_model};
}

}  // namespace ink
