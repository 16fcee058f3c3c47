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
  return own == KdLoss::ce ? loss != KdLoss::regression : loss == own;
}

void check_kd_loss(const DistillationConfig& config, const Task& task) {
  const KdLoss own = kd_loss_of(task);
  check(suits(config.kd_loss_type, task), "distill: the task ", task.name, " has ",
        own == KdLoss::bce          ? "several labels"
        : own == KdLoss::regression ? "numbers"
                                    : "classes",
        "; expected kd_loss_type ", name_of(own), ", got ", name_of(config.kd_loss_type));
}

void settle_kd_loss(DistillationConfig& config, const Task& task, const Json& job) {
  const bool said = job.has("DistillationConfig") && job["DistillationConfig"].has("kd_loss_type");
  if (!said && !suits(config.kd_loss_type, task)) config.kd_loss_type = kd_loss_of(task);
}

}  // namespace ink
