// inkstone vocab: text → vocab.txt.
#include <cstdio>
#include <memory>

#include "cli/output.h"
#include "cli/verbs.h"
#include "text/vocabulary_builder.h"

namespace ink::cli {
namespace {

struct Options {
  std::vector<std::string> text;
  std::string out = "vocab.txt";
  VocabularyOptions build = {};
  bool cased = false;
};

Json run(Options o) {
  check_output(o.out, o.text);
  o.build.normalize.do_lower_case = !o.cased;
  const Vocabulary vocabulary =
      build_vocabulary(Corpus::open({o.text.begin(), o.text.end()}), o.build);
  vocabulary.save(o.out);
  std::printf("%s: %d tokens\n", o.out.c_str(), vocabulary.size());
  return Json::make_object({{"tokens", vocabulary.size()}});
}

}  // namespace

Action declare_vocab(Command& command) {
  auto o = std::make_shared<Options>();
  command.list("--text", o->text, "text files, or folders of .txt files");
  command.option("--size", o->build.size, "tokens at most", kOneOrMore);
  command.option("--min-frequency", o->build.min_frequency, "of a character or a merged pair",
                 kOneOrMore);
  command.path("--out", o->out, "file to write");
  command.flag("--cased", o->cased, "keep capitals and accents (then pretrain with --cased too)");
  command.require("--text");
  return [o] { return run(*o); };
}

}  // namespace ink::cli
