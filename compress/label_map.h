// Teachers and students of one task have one label map: id i is the same name for all of them.
#pragma once
#include <filesystem>
#include <string>

#include "tasks/task.h"

namespace ink {

// The labels of a teacher. Raises Error, naming the folder, where it does not do the task.
Labels labels_of_teacher(const Task& task, const std::string& folder, const ModelConfig& config);

// Raises Error that names the first difference: other labels, another order, or another number.
// `who` and `other` say whose they are.
void check_same_labels(const std::string& who, const Labels& labels, const std::string& other,
                       const Labels& its);

// A student in a folder that has a head of the task's kind keeps it, so it must do the task, with
// the labels of `teacher`. Nothing is asked of another one, and where `folder` is empty.
void check_labels_of_student(const std::filesystem::path& folder, const Task& task,
                             const std::string& teacher, const Labels& labels);

}  // namespace ink
