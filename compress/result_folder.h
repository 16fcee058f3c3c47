// The folder that a pruned model goes to, checked before anything is measured.
#pragma once
#include <filesystem>

namespace ink {

// Raises Error where `out` is the folder of the model, holds a model already, or cannot be written.
// A folder that is not there is not there afterwards either.
void check_result_folder(const std::filesystem::path& model, const std::filesystem::path& out);

}  // namespace ink
