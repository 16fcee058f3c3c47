// Lists of numbers, strictly read.
#include "cli/stages.h"

#include <sstream>

#include "cli/length.h"
#include "cli/values.h"

namespace ink::cli {
namespace {

std::vector<std::string> parts_of(const std::string& word) {
  std::vector<std::string> parts;
  std::istringstream in(word);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  if (word.ends_with(',')) parts.emplace_back();
  return parts;
}

}  // namespace

std::vector<PretrainStage> stages_from(const std::string& word, int64_t longest) {
  std::vector<PretrainStage> stages;
  for (const std::string& part : parts_of(word)) {
    const size_t colon = part.find(':');
    if (colon == std::string::npos)
      throw UsageError("--stages: expected LENGTH:SHARE, such as 128:0.9,512:0.1, got '" + part +
                       "'");
    const int64_t length = whole_from(part.substr(0, colon), kOneOrMore, "--stages");
    stages.push_back({.max_tokens = length_for(length, longest, "--stages"),
                      .share = real_from(part.substr(colon + 1), kShare, "--stages")});
  }
  return stages;
}

std::vector<int64_t> steps_from(const std::string& word, const std::string& option) {
  std::vector<int64_t> steps;
  for (const std::string& part : parts_of(word)) steps.push_back(whole_from(part, {}, option));
  return steps;
}

}  // namespace ink::cli
