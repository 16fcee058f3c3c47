// A corpus → three files of sentences with and without errors.
#include <algorithm>
#include <array>
#include <unordered_set>

#include "tasks/word_order.h"
#include "tensor/error.h"
#include "tensor/file.h"
#include "tensor/fingerprint.h"
#include "tensor/parallel.h"
#include "text/character.h"
#include "text/corpus.h"
#include "text/sentences.h"
#include "text/utf8.h"

namespace ink {
namespace {

enum class Stream : uint64_t { documents, split, sentences };

Random stream(uint64_t seed, Stream what) {
  return Random(seed).split(static_cast<uint64_t>(what));
}

std::vector<std::u32string> words_of(std::u32string_view sentence, const Segmenter& segmenter) {
  std::vector<std::u32string> words;
  for (const Span& word : segmenter.cut(sentence))
    words.emplace_back(
        sentence.substr(static_cast<size_t>(word.begin), static_cast<size_t>(word.size())));
  return words;
}

struct Made {
  uint64_t digest;  // of the sentence as it was
  TaggedSentence sentence;
};

std::vector<Made> sentences_of(const Document& document, const WordOrderOptions& options,
                               const Segmenter& segmenter) {
  std::vector<Made> made;
  for (const std::string& line : document.lines) {
    for (const Span& span : split_sentences(line)) {
      const std::string_view text = std::string_view(line).substr(static_cast<size_t>(span.begin),
                                                                  static_cast<size_t>(span.size()));
      const std::u32string characters = decode_utf8(text);
      const auto length = std::ranges::count_if(characters, std::not_fn(is_whitespace));
      if (length < options.shortest || length > options.longest) continue;
      const uint64_t digest = Digest().add(text).value();
      Draws draws(stream(options.seed, Stream::sentences).split(digest));
      made.push_back(
          {digest, disordered(words_of(characters, segmenter), options.disorder, draws)});
    }
  }
  return made;
}

// One of the files, and how many sentences it may still take.
struct Part {
  FileWriter file;
  int64_t left;
  WordOrderFile counts = {};

  Part(const std::filesystem::path& path, int64_t most)
      : file(path), left(most == 0 ? INT64_MAX : most) {}
  void add(const TaggedSentence& sentence) {
    file.write(as_lines(sentence, order_labels()));
    const int64_t errors = std::ssize(order_errors(sentence.tags));
    ++counts.sentences;
    counts.with_error += errors > 0;
    counts.errors += errors;
    --left;
  }
};

// All pieces of a document that is longer than a block are in one part.
size_t part_of(const Document& document, const WordOrderOptions& o) {
  const double u = stream(o.seed, Stream::split).split(document.beginning).uniform(0);
  return u < o.dev_share ? 1 : u < o.dev_share + o.test_share ? 2 : 0;
}

void check_options(const WordOrderOptions& o) {
  check(o.dev_share > 0 && o.test_share > 0 && o.dev_share + o.test_share < 1,
        "word order: expected shares of dev and test above 0 and together below 1, got ",
        o.dev_share, " and ", o.test_share);
  check(o.shortest >= 1 && o.shortest <= o.longest,
        "word order: expected sentences of 1 or more characters, shortest before longest, got ",
        o.shortest, " to ", o.longest);
}

}  // namespace

WordOrderResult make_word_order(const WordOrderOptions& options, const Segmenter& segmenter) {
  constexpr int64_t kTogether = 256;  // documents that are worked on at once
  check_options(options);
  const Corpus corpus = Corpus::open(options.corpus, {.block_bytes = options.block_bytes});
  CorpusReader reader(corpus, Split::train, stream(options.seed, Stream::documents).seed());
  create_folders(options.out);
  std::array parts{Part(options.out / "train.txt", options.train_sentences),
                   Part(options.out / "dev.txt", options.dev_sentences),
                   Part(options.out / "test.txt", options.test_sentences)};
  std::unordered_set<uint64_t> seen;
  const int64_t documents = corpus.documents(Split::train);
  const auto full = [](const Part& part) { return part.left == 0; };
  for (int64_t first = 0; first < documents && !std::ranges::all_of(parts, full);
       first += kTogether) {
    std::vector<Document> some;
    for (int64_t i = first; i < std::min(first + kTogether, documents); ++i)
      some.push_back(reader.next());
    std::vector<std::vector<Made>> made(some.size());
    parallel_for(std::ssize(some), 1, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i)
        if (parts[part_of(some[i], options)].left > 0)
          made[i] = sentences_of(some[i], options, segmenter);
    });
    for (size_t i = 0; i < some.size(); ++i) {
      Part& part = parts[part_of(some[i], options)];
      for (const Made& one : made[i])
        if (part.left > 0 && seen.insert(one.digest).second) part.add(one.sentence);
    }
  }
  for (Part& part : parts)
    check(part.counts.sentences > 0, "word order: expected sentences of ", options.shortest, " to ",
          options.longest, " characters for train, dev and test, which share ", documents,
          " documents, got ", parts[0].counts.sentences, ", ", parts[1].counts.sentences, " and ",
          parts[2].counts.sentences, "; separate documents by blank lines");
  for (Part& part : parts) part.file.commit();
  return {parts[0].counts, parts[1].counts, parts[2].counts, documents};
}

}  // namespace ink
