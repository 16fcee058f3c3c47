// Whole-word masking on one thread: tokens per second from text to packed batches, stage by stage.
//
//   corrupt            a table; the text and its words are found in $INK_DATA, or ../shared/data
//   corrupt --serve    answers every line with "tokens seconds seconds", of reading and of
//                      corruption in one pass over the text (bench/corrupt.py)
//   corrupt --text F   another text
//
// Reading is segmentation, tokenization and cutting in sequences; corruption is selecting, masking
// and packing batches of 32 sequences.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include "objectives/batch.h"
#include "objectives/full_sentences.h"
#include "objectives/mask.h"
#include "objectives/tokenize.h"
#include "tensor/parallel.h"
#include "text/corpus.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSequences = 32;  // in a batch

struct Pass {
  int64_t tokens = 0;
  double reading = 0, corruption = 0;  // seconds
};

template <class F>
double seconds(const F& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

class Pipeline {
 public:
  Pipeline(const fs::path& data, const fs::path& text)
      : tokenizer_(Vocabulary::load(data / "vocab" / "bert-chinese.txt")),
        segmenter_(Segmenter::load({.dictionary = data / "segmentation" / "jieba-dict-small.txt"})),
        tokens_(objective_tokens(tokenizer_)) {
    const Corpus corpus = Corpus::open({text});
    for (int64_t block = 0; block < corpus.blocks(); ++block)
      for (Document& document : corpus.read_block(block, Split::train))
        texts_.push_back(std::move(document));
  }

  Pass run() {
    Pass pass;
    std::vector<Instance> instances;
    pass.reading = seconds([&] {
      std::vector<TokenDocument> documents;
      for (const Document& text : texts_) {
        documents.push_back(tokenize_document(text, tokenizer_, &segmenter_));
        if (documents.back().empty()) documents.pop_back();
      }
      instances = full_sentences(documents, 128, tokens_);
    });
    pass.corruption = seconds([&] { pass.tokens = corrupt(instances); });
    ++passes_;
    return pass;
  }

 private:
  int64_t corrupt(const std::vector<Instance>& instances) const {
    const Corruption mask = masked_language_model({.tokens = tokens_});
    int64_t tokens = 0;
    for (size_t begin = 0; begin < instances.size(); begin += kSequences) {
      const size_t end = std::min(instances.size(), begin + kSequences);
      std::vector<const Instance*> members;
      std::vector<Corrupted> corrupted;
      for (size_t i = begin; i < end; ++i) {
        Draws draws(Random(passes_).split(i));
        members.push_back(&instances[i]);
        corrupted.push_back(mask(instances[i], draws));
      }
      tokens += make_batch(members, corrupted).inputs.tokens();
    }
    return tokens;
  }

  Tokenizer tokenizer_;
  Segmenter segmenter_;
  ObjectiveTokens tokens_;
  std::vector<Document> texts_;
  uint64_t passes_ = 0;
};

int run(const std::vector<std::string>& arguments) {
  const char* named = std::getenv("INK_DATA");
  const fs::path data = named && *named ? named : "../shared/data";
  fs::path text = data / "text" / "essays.txt";
  bool serve = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    serve |= arguments[i] == "--serve";
    if (arguments[i] == "--text" && i + 1 < arguments.size()) text = arguments[i + 1];
  }
  if (!fs::exists(text)) {
    std::printf("left out: there is no text at %s\n", text.c_str());
    return 0;
  }
  set_threads(1);
  Pipeline pipeline(data, text);
  if (serve) {
    for (std::string line; std::getline(std::cin, line);) {
      const Pass p = pipeline.run();
      std::printf("%ld %.6f %.6f\n", p.tokens, p.reading, p.corruption);
      std::fflush(stdout);
    }
    return 0;
  }
  for (int i = 0; i < 3; ++i) {
    const Pass p = pipeline.run();
    const auto n = static_cast<double>(p.tokens) / 1e6;
    std::printf("%ld tokens: reading %.2f M/s, corruption %.2f M/s, both %.2f M/s\n", p.tokens,
                n / p.reading, n / p.corruption, n / (p.reading + p.corruption));
  }
  return 0;
}

}  // namespace
}  // namespace ink

int main(int argc, char** argv) {
  try {
    return ink::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "corrupt: %s\n", error.what());
    return 1;
  }
}
