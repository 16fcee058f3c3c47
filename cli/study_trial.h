// Trying a study before anything runs: every step as it will be, but for the work.
#pragma once
#include "cli/study_plan.h"

namespace ink::cli {

// Raises UsageError or Error, beginning with the place in the file, for options that a step would
// refuse, files that are not there, objectives that a model cannot learn, and examples that a task
// cannot read.
void try_study(const StudyPlan& plan);

}  // namespace ink::cli
