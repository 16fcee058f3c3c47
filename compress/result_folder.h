// Where a result will go, checked before anything is measured or trained for it.
#pragma once
#include <filesystem>
#include <span>

namespace ink {

// Raises Error where nothing can be written to the folder. One that is not there is not there
// afterwards either.
void check_writable(const std::filesystem::path& folder);

// Raises Error where a training's folder holds a model of another run or, unless the run there goes
// on, checkpoints.
void check_unused(const char* job, const std::filesystem::path& out, bool goes_on);
// The same, and where `out` is the folder of one of the teachers or cannot be written.
void check_student_folder(std::span<const std::filesystem::path> teachers,
                          const std::filesystem::path& out, bool goes_on);

// Raises Error where `out` is the folder of the model that is pruned, holds a model already, or
// cannot be written.
void check_result_folder(const std::filesystem::path& model, const std::filesystem::path& out);

}  // namespace ink
