// Refusing to write a verb's result over what it reads.
#pragma once
#include <string>
#include <vector>

namespace ink::cli {

// Raises UsageError when the file `out` is one of the inputs, or a file in a folder among them.
void check_output(const std::string& out, const std::vector<std::string>& inputs);

}  // namespace ink::cli
