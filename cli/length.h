// --max-length: how long sequences may be for a model that reads only so many tokens.
#pragma once
#include <filesystem>

#include "cli/command.h"

namespace ink::cli {

// 0, the default, stands for what length_for says.
void declare_length(Command& command, int64_t& max_length);

// What was asked for; 0: 128, or `longest` (of the model) where that is less. Raises UsageError for
// more than `longest`, and for too few to hold a text pair's special tokens and one other.
int64_t length_for(int64_t asked, int64_t longest, const char* option = "--max-length");
// The same for the model in a folder.
int64_t length_for(int64_t asked, const std::filesystem::path& model);

}  // namespace ink::cli
