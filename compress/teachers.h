// The teachers of one student, together: what each says of the development examples, and all.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "compress/distill_setup.h"
#include "nn/session.h"

namespace ink {

// With the head of the task; a folder named twice is loaded once.
using Sessions = std::vector<std::shared_ptr<const Session>>;
Sessions load_teachers(const DistillSetup& setup, const Heads& heads);

// On the development examples.
TeacherScores judge_teachers(const DistillSetup& setup, const Sessions& teachers);

// A sentence for each teacher that is no better than one that knows nothing (Task::trivial): that
// says the most frequent class of the development examples, say. It would teach what is wrong.
std::vector<std::string> doubts_about(const DistillSetup& setup, const Task& task,
                                      const TeacherScores& scores);

}  // namespace ink
