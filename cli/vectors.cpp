// inkstone vectors: text → word vectors and each word's nearest.
#include <cstdio>
#include <memory>

#include "cli/output.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "objectives/nearest_words.h"
#include "objectives/skip_gram.h"
#include "text/word_corpus.h"

namespace ink::cli {
namespace {

constexpr int64_t kBlockBytes = 1 << 14;  // of text: small, as blocks are what threads share out

struct Options {
  std::vector<std::string> text;
  std::string vectors, out, neighbours, dictionary, format = "text";
  int64_t top = 10;
  bool cased = false;
  WordCorpusOptions words = {};
  SkipGramOptions train = {};
};

void check_use(const Options& o) {
  if (o.text.empty() == o.vectors.empty()) throw UsageError("expected either --text or --vectors");
  if (o.out.empty() && o.neighbours.empty())
    throw UsageError("expected a file to write: --out, --neighbours or both");
  if (!o.out.empty() && o.out == o.neighbours)
    throw UsageError("expected two files, got " + o.out + " for both --out and --neighbours");
  for (const std::string& file : {o.out, o.neighbours}) {
    if (file.empty()) continue;
    check_output(file, o.text);
    if (!o.vectors.empty()) check_output(file, {o.vectors});
  }
}

WordVectors trained(Options& o, int64_t seed, Json& result) {
  o.words.lower_case = !o.cased;
  const Segmenter segmenter = Segmenter::load({.dictionary = o.dictionary});
  const Corpus corpus = Corpus::open({o.text.begin(), o.text.end()}, {.block_bytes = kBlockBytes});
  const WordCorpus words(corpus, segmenter, o.words);
  ProgressDisplay display("vectors");
  double loss = 0;
  o.train.seed = static_cast<uint64_t>(seed);
  o.train.progress = [&](const Progress& p) {
    loss = p.loss;
    display.show(p);
  };
  WordVectors vectors = train_skip_gram(words, o.train);
  result.set("text_words", words.words_of_text()).set("loss", loss);
  return vectors;
}

Json run(Options& o, int64_t seed) {
  check_use(o);
  Json result = Json::make_object();
  const WordVectors vectors =
      o.text.empty() ? WordVectors::load(o.vectors) : trained(o, seed, result);
  const auto words = static_cast<long>(vectors.words.size());
  const auto width = static_cast<long>(vectors.width());
  result.set("words", words).set("width", width);
  if (!o.out.empty()) {
    vectors.save(o.out, o.format == "binary" ? VectorFormat::binary : VectorFormat::text);
    std::printf("%s: vectors of %ld numbers for %ld words\n", o.out.c_str(), width, words);
  }
  if (!o.neighbours.empty()) {
    const WordNeighbours table = nearest_words(vectors, o.top);
    table.save(o.neighbours);
    std::printf("%s: neighbours of %ld words\n", o.neighbours.c_str(),
                static_cast<long>(table.size()));
    result.set("words_with_neighbours", table.size());
  }
  return result;
}

}  // namespace

Action declare_vectors(Command& command) {
  auto o = std::make_shared<Options>();
  command.list("--text", o->text, "text files, or folders of .txt files, to train on");
  command.path("--vectors", o->vectors, "or vectors to read: word2vec's format, text or binary");
  command.path("--out", o->out, "vectors to write");
  command.choice("--format", o->format, {"text", "binary"}, "of --out");
  command.path("--neighbours", o->neighbours, "table to write: each word's nearest, by cosine");
  command.option("--top", o->top, "neighbours of a word", {1, 1024});
  command.section("Words");
  command.path("--dictionary", o->dictionary,
               "words of the segmenter; default $INK_DICTIONARY, else python3-jieba's");
  command.option("--min-count", o->words.min_count, "rarer words are passed over", kOneOrMore);
  command.flag("--cased", o->cased, "keep capitals");
  command.section("Training");
  command.option("--width", o->train.width, "numbers of a vector", {1, 65536});
  command.option("--window", o->train.window, "words on either side, at most", kOneOrMore);
  command.option("--negatives", o->train.negatives, "noise words of a pair", {1, 63});
  command.option("--subsample", o->train.subsample,
                 "words of a larger share of the text are left out at times; 0 = never");
  command.option("--epochs", o->train.epochs, "times through the text", kOneOrMore);
  command.option("--learning-rate", o->train.learning_rate, "at first; falls to 0", kAboveZero);
  return [o, &command] { return run(*o, command.seed); };
}

}  // namespace ink::cli
