// What the models and scores of a study are made of: options and the content of files.
//
//   {"options": {"steps": 2000, …}, "files": {"laws.txt": "1f0c…"}}
//
// Options are all that a step has, in one order and with their defaults, less those that change
// nothing of the result; so neither the order of keys nor a default that is written out makes a
// difference, and a file that was edited does.
#pragma once
#include "cli/study_plan.h"

namespace ink::cli {

// Fills made_of of all variants and tasks. Reads every input once.
void find_inputs(StudyPlan& plan);

// "steps 2000, now 3000", or "another laws.txt"; "" where both are the same.
std::string difference_of(const Json& before, const Json& now);

}  // namespace ink::cli
