// Refusing to write a verb's result over what it reads.
#include "cli/output.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "cli/values.h"

namespace ink::cli {

void check_output(const std::string& out, const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_regular_file(out, ignored)) return;
  const fs::path folder = fs::absolute(out, ignored).parent_path();
  const auto holds_out = [&](const std::string& input) {
    return fs::equivalent(out, input, ignored) ||
           (fs::is_directory(input, ignored) && fs::equivalent(folder, input, ignored));
  };
  const auto input = std::ranges::find_if(inputs, holds_out);
  if (input != inputs.end())
    throw UsageError(out + " belongs to the input " + *input + "; expected another file to write");
}

}  // namespace ink::cli
