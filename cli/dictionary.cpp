// inkstone dictionary: a list of words, and text that uses them → "word frequency" lines.
#include <cstdio>
#include <memory>

#include "cli/output.h"
#include "cli/verbs.h"
#include "text/dictionary.h"

namespace ink::cli {
namespace {

struct Options {
  std::vector<std::string> words, text;
  std::string out = "words.txt";
  int64_t rounds = 3;
};

Json run(const Options& o) {
  check_output(o.out, o.words);
  check_output(o.out, o.text);
  const DictionaryReport r =
      build_dictionary({o.words.begin(), o.words.end()}, {o.text.begin(), o.text.end()}, o.out,
                       static_cast<int>(o.rounds));
  std::printf("%s: %ld words, %ld of them among the %ld words of the text\n", o.out.c_str(),
              r.words, r.found, r.counted);
  return Json::make_object({{"words", r.words}, {"found", r.found}, {"counted", r.counted}});
}

}  // namespace

Action declare_dictionary(Command& command) {
  auto o = std::make_shared<Options>();
  command.list("--words", o->words, "files with a word a line");
  command.list("--text", o->text, "text files to count them in, or folders of .txt files");
  command.path("--out", o->out, "file to write");
  command.option("--rounds", o->rounds, "rounds of cutting and counting", {1, 1000});
  command.require("--words");
  command.require("--text");
  return [o] { return run(*o); };
}

}  // namespace ink::cli
