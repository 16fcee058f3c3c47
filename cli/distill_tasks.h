// inkstone distill with "tasks": one student that learns several tasks, from a teacher each.
#pragma once
#include <cstdint>

#include "cli/command.h"
#include "tensor/json.h"

namespace ink::cli {

struct TasksRun {
  int64_t max_length = 0;  // 0: as many tokens as all models read, 128 at most
  bool recompute = false, resume = false, explain = false;
};

// `keys` are those of multi_task_options_from_json (compress/multi_task.h). Returns what --json
// prints.
Json distill_on_tasks(const Json& keys, const TasksRun& o, Command& command);

}  // namespace ink::cli
