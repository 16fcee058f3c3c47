// inkstone segment: lines of Chinese text → words separated by spaces.
#include <memory>

#include "cli/lines.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "tensor/parallel.h"
#include "text/segmenter.h"

namespace ink::cli {
namespace {

struct Options {
  std::string dictionary, hmm;
  bool no_hmm = false;
};

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) {
    if (word.find_first_not_of(" \t") == std::string::npos) continue;
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

Json run(const Options& o) {
  const Segmenter segmenter = Segmenter::load({.dictionary = o.dictionary, .hmm = o.hmm});
  if (!segmenter.has_hmm() && !o.no_hmm) {
    notice(
        "segment: no model for unknown words beside the dictionary; they fall into characters "
        "(--no-hmm says so)");
  }
  int64_t lines = 0;
  for_each_input_block("segment", 4096, [&](const std::vector<std::string>& block) {
    std::vector<std::string> out(block.size());
    parallel_for(static_cast<int64_t>(block.size()), 16, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        out[i] = joined(segmenter.words(block[i], !o.no_hmm));
      }
    });
    for (const std::string& line : out) write_line(line);
    lines += static_cast<int64_t>(block.size());
  });
  return Json::make_object({{"lines", lines}});
}

}  // namespace

Action declare_segment(Command& command) {
  auto o = std::make_shared<Options>();
  command.reads_lines();
  command.path(
      "--dictionary", o->dictionary,
      "lines 'word frequency'; default $INK_DICTIONARY, else that of Debian's python3-jieba");
  command.path("--hmm", o->hmm,
               "folder of the model for unknown words; default: finalseg beside the dictionary");
  command.flag("--no-hmm", o->no_hmm, "words of the dictionary only");
  return [o] { return run(*o); };
}

}  // namespace ink::cli
