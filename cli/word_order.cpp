// inkstone word-order: text → sentences, half of them with a word moved, to learn correction from.
#include "tasks/word_order.h"

#include <cstdio>
#include <memory>

#include "cli/verbs.h"

namespace ink::cli {
namespace {

struct Options {
  std::vector<std::string> text;
  std::string out, dictionary;
  WordOrderOptions job = {};
};

Json run(const Options& o, const Command& command) {
  WordOrderOptions job = o.job;
  job.corpus.assign(o.text.begin(), o.text.end());
  job.out = o.out;
  job.seed = static_cast<uint64_t>(command.seed);
  const WordOrderResult result =
      make_word_order(job, Segmenter::load({.dictionary = o.dictionary}));
  Json json = Json::make_object({{"documents", result.documents}});
  const auto show = [&](const char* name, const WordOrderFile& file) {
    std::printf("%s/%s.txt: %ld sentences, %ld with an error\n", o.out.c_str(), name,
                static_cast<long>(file.sentences), static_cast<long>(file.with_error));
    json.set(name, Json::make_object({{"sentences", file.sentences},
                                      {"with_error", file.with_error},
                                      {"errors", file.errors}}));
  };
  show("train", result.train);
  show("dev", result.dev);
  show("test", result.test);
  return json;
}

}  // namespace

Action declare_word_order(Command& command) {
  auto o = std::make_shared<Options>();
  WordOrderOptions& job = o->job;
  command.list("--text", o->text,
               "text files, or folders of .txt files; a blank line between documents");
  command.path("--out", o->out, "folder for train.txt, dev.txt and test.txt");
  command.path("--dictionary", o->dictionary,
               "words; default $INK_DICTIONARY, else python3-jieba's");
  command.section("Errors");
  command.option("--corrupt", job.disorder.corrupt, "share of the sentences that get an error",
                 kShare);
  command.option("--longest-run", job.disorder.longest, "words that a word moves over at most",
                 {.low = 1, .high = 64});
  command.option("--most-errors", job.disorder.most, "errors in a sentence; drawn evenly from 1 on",
                 {.low = 1, .high = 64});
  command.section("Files");
  command.option("--shortest", job.shortest, "characters of a sentence that is taken", kOneOrMore);
  command.option("--longest", job.longest, "the same, at most", kOneOrMore);
  command.option("--dev-share", job.dev_share, "of the documents", kShare);
  command.option("--test-share", job.test_share, "of the documents", kShare);
  command.option("--train-sentences", job.train_sentences, "of train.txt at most; 0 = all");
  command.option("--dev-sentences", job.dev_sentences, "of dev.txt at most; 0 = all");
  command.option("--test-sentences", job.test_sentences, "of test.txt at most; 0 = all");
  command.require("--text");
  command.require("--out");
  return [o, &command] { return run(*o, command); };
}

}  // namespace ink::cli
