// Refusing to write a verb's result over what it reads.
#include "cli/output.h"

#include <filesystem>
#include <system_error>

#include "cli/values.h"

namespace ink::cli {

void check_output(const std::string& out, const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::is_regular_file(out, ignored)) return;
  const fs::path folder = fs::absolute(out, ignored).parent_path();
  for (const std::string& input : inputs)
    if (fs::equivalent(out, input, ignored) ||
        (fs::is_directory(input, ignored) && fs::equivalent(folder, input, ignored)))
      throw UsageError(out + " belongs to the input " + input + "; expected another file to write");
}

}  // namespace ink::cli
