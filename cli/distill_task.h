// inkstone distill --train: a student that learns a task.
#pragma once
#include <cstdint>

#include "cli/command.h"
#include "tensor/json.h"

namespace ink::cli {

struct TaskRun {
  int64_t max_length = 0;  // 0: as --max-length says
  bool recompute = false, resume = false, explain = false;
};

// `keys` are those of distill_options_from_json (compress/distill.h). Returns what --json prints.
Json distill_on_task(const Json& keys, const TaskRun& o, Command& command);

}  // namespace ink::cli
