// The default of --max-length, and its limits.
#include "cli/length.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "nn/config.h"

namespace ink::cli {
namespace {

constexpr int64_t kUsual = 128, kLeast = 4;

}  // namespace

void declare_length(Command& command, int64_t& max_length) {
  command.option("--max-length", max_length,
                 "longest sequence in tokens; 0 = " + std::to_string(kUsual) +
                     ", or as many as the model reads if those are fewer");
}

int64_t length_for(int64_t asked, int64_t longest, const char* option) {
  if (asked == 0) return std::min(kUsual, longest);
  if (asked < kLeast || asked > longest) {
    const std::string least = std::to_string(kLeast);
    const std::string limits = longest == INT64_MAX
                                   ? least + " tokens or more"
                                   : "from " + least + " to " + std::to_string(longest) +
                                         " tokens, all that the model reads";
    throw UsageError(std::string(option) + ": expected " + limits + ", got " +
                     std::to_string(asked));
  }
  return asked;
}

int64_t length_for(int64_t asked, const std::filesystem::path& model) {
  return length_for(asked, ModelConfig::read(model / "config.json").longest());
}

}  // namespace ink::cli
