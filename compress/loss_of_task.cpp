// Losses by the problem type of a task.
#include "compress/loss_of_task.h"

#include <string_view>

#include "tensor/error.h"

namespace ink {

KdLoss kd_loss_of(const Task& task) {
  const std::string_view type = task.problem_type;
  if (type == "multi_label_classification") return KdLoss::bce;
  return type == "regression" ? KdLoss::regression : KdLoss::ce;
}

bool suits(KdLoss loss, const Task& task) {
  const KdLoss own = kd_loss_of(task);
  if (task.heads.span) return loss == KdLoss::ce || loss == KdLoss::kl;
  return own == KdLoss::ce ? loss != KdLoss::regression : loss == own;
}

void check_kd_loss(const DistillationConfig& config, const Task& task) {
  const KdLoss own = kd_loss_of(task);
  check(suits(config.kd_loss_type, task), "distill: the task ", task.name, " has ",
        task.heads.span             ? "starts and ends of answers"
        : own == KdLoss::bce        ? "several labels"
        : own == KdLoss::regression ? "numbers"
                                    : "classes",
        "; expected kd_loss_type ", name_of(own),
        own != KdLoss::ce ? ""
        : task.heads.span ? " or kl"
                          : ", kl or mse",
        ", got ", name_of(config.kd_loss_type));
  const bool distributions =
      config.kd_loss_type != KdLoss::bce && config.kd_loss_type != KdLoss::regression;
  check(!config.probability_shift || (own == KdLoss::ce && distributions),
        "distill: probability_shift moves the true class to the front, and the task ", task.name,
        " has none", own == KdLoss::ce ? " by kd_loss_type bce" : "",
        "; expected probability_shift false");
  check(!task.heads.span || config.temperature_scheduler.kind == TemperatureSchedule::Kind::none,
        "distill: a temperature for each row is not for sequences of different lengths; expected "
        "temperature_scheduler \"none\" for the task ",
        task.name);
}

void settle_kd_loss(DistillationConfig& config, const Task& task, const Json& job) {
  const bool said = job.has("DistillationConfig") && job["DistillationConfig"].has("kd_loss_type");
  if (!said && !suits(config.kd_loss_type, task)) config.kd_loss_type = kd_loss_of(task);
}

}  // namespace ink
