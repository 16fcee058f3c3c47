// Reading standard input line by line.
#include "cli/lines.h"

#include <iostream>

#include "cli/command.h"

namespace ink::cli {

void for_each_input_line(const std::function<void(const std::string& line)>& f) {
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.ends_with('\r')) line.pop_back();
    f(replace_invalid_utf8(line));
  }
  check(!std::cin.bad(), "cannot read standard input");
}

void for_each_input_block(size_t lines,
                          const std::function<void(std::vector<std::string>& block)>& f) {
  std::vector<std::string> block;
  for_each_input_line([&](const std::string& line) {
    block.push_back(line);
    if (block.size() == lines) {
      f(block);
      block.clear();
    }
  });
  if (!block.empty()) f(block);
}

std::pair<std::string, std::string> split_pair(const std::string& line) {
  const size_t tab = line.find('\t');
  if (tab == std::string::npos) return {line, ""};
  return {line.substr(0, tab), line.substr(tab + 1)};
}

Tokenizer find_tokenizer(const std::string& model, const std::string& vocabulary, bool cased) {
  if (model.empty() == vocabulary.empty()) throw UsageError("expected either --model or --vocab");
  if (!model.empty()) return Tokenizer::load(model);
  return Tokenizer(Vocabulary::load(vocabulary), {.do_lower_case = !cased});
}

}  // namespace ink::cli
