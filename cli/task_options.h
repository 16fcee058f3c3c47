// Options that the task verbs share: where the data is, how it is read, how training goes.
#pragma once
#include "cli/command.h"
#include "cli/terminal.h"
#include "tasks/finetune.h"

namespace ink::cli {

inline constexpr const char* kExamplesHelp =
    "labelled examples: TSV or JSON lines; of tagging and word-order lines \"unit tag\", of "
    "reading SQuAD's JSON. A label is a class, of regression a number, of multi-label names "
    "between commas or a JSON list";

struct TaskOptions {
  std::string task = "classification", columns;
  int64_t max_length = 0;  // as length_for (cli/length.h) says
};
// `several`: any of the tasks; else classification alone.
void declare_task(Command& command, TaskOptions& options, bool several = false);
ReadOptions read_options(const TaskOptions& options);

// Of verbs whose models answer: from when on one of several labels is given.
void declare_threshold(Command& command, double& threshold, const TaskOptions& options);

inline constexpr const char* kRecomputeHelp =
    "compute layers again in backward: less memory, more time";
inline constexpr const char* kGraphsHelp =
    "on cuda: replay steps whose shapes come again as CUDA graphs; more memory, the same bits";
inline constexpr const char* kFillHelp =
    "on cuda: fill up batches by tokens that count nothing, so that few shapes occur";
void declare_fit(Command& command, FitOptions& options);

// The display of a training run as hooks for it.
TaskHooks hooks_of(ProgressDisplay& display);

// "accuracy 91.20 %, macro F1 87.40 % on 120 examples", correlations as numbers; and all metrics as
// JSON.
std::string summary_of(const Scores& scores);
Json json_of(const Scores& scores);

}  // namespace ink::cli
