// Texts named on the command line, where "-" is standard input.
#include "cli/piped_text.h"

#include "cli/lines.h"
#include "tensor/file.h"

namespace ink::cli {

PipedText::PipedText(const std::string& verb, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (name != "-") {
      paths_.emplace_back(name);
      continue;
    }
    if (folder_) continue;
    folder_.emplace();
    paths_.push_back(folder_->path() / "standard input");
    write_atomically(paths_.back(), [verb](FileWriter& out) {
      for_each_input_block(verb, 4096, [&](const std::vector<std::string>& lines) {
        std::string text;
        for (const std::string& line : lines) text.append(line).append(1, '\n');
        out.write(text);
      });
    });
  }
}

}  // namespace ink::cli
