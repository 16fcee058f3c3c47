// Options that the task verbs share: where the data is, how it is read, how training goes.
#pragma once
#include "cli/command.h"
#include "cli/terminal.h"
#include "tasks/finetune.h"

namespace ink::cli {

struct TaskOptions {
  std::string task = "classification", columns;
  int64_t max_length = 0;  // as length_for (cli/length.h) says
};
void declare_task(Command& command, TaskOptions& options);
ReadOptions read_options(const TaskOptions& options);

inline constexpr const char* kRecomputeHelp =
    "compute layers again in backward: less memory, more time";
void declare_fit(Command& command, FitOptions& options);

// The display of a training run as hooks for it.
TaskHooks hooks_of(ProgressDisplay& display);

// "0.912 accuracy, 0.874 macro F1" and the same as JSON.
std::string summary_of(const Evaluated& evaluated);
Json json_of(const Evaluated& evaluated);

}  // namespace ink::cli
