// WordCorpus: a corpus as the numbers of its words, most frequent first, a block at a time.
#include "text/word_corpus.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "text/normalize.h"

namespace ink {
namespace {

constexpr int64_t kBlocksAtOnce = 256;
constexpr size_t kMaxWords = size_t{1} << 22;  // different words that are counted in memory
constexpr int32_t kRare = -2;                  // the number of a word that has none

// A block as numbers of its own words.
struct CutBlock {
  WordList words;
  std::vector<int32_t> numbers;
};

bool has_letter(std::u32string_view word) {
  return std::ranges::any_of(word, [](char32_t c) { return !is_punctuation(c) && !is_blank(c); });
}

std::string spelling(std::u32string_view word, bool lower_case) {
  Normalized text{std::u32string(word), std::vector<int32_t>(word.size())};
  if (lower_case) lowercase(text);
  return encode_utf8(text.text);
}

void cut_line(std::u32string_view line, const Segmenter& segmenter, bool lower_case,
              CutBlock& out) {
  for (const Span& s : segmenter.cut(line)) {
    const auto word = line.substr(static_cast<size_t>(s.begin), static_cast<size_t>(s.size()));
    if (has_letter(word)) out.numbers.push_back(out.words.add(spelling(word, lower_case)));
  }
  out.numbers.push_back(WordCorpus::kLineEnd);
}

CutBlock cut_block(const Corpus& corpus, int64_t block, const Segmenter& segmenter,
                   bool lower_case) {
  CutBlock out;
  for (const Document& document : corpus.read_block(block, Split::train))
    for (const std::string& line : document.lines)
      cut_line(decode_utf8(line), segmenter, lower_case, out);
  return out;
}

// Numbers that mean words, by another numbering; rare words disappear.
void renumber(std::vector<int32_t>& numbers, const std::vector<int32_t>& to) {
  for (int32_t& n : numbers)
    if (n != WordCorpus::kLineEnd) n = to[static_cast<size_t>(n)];
  std::erase(numbers, kRare);
}

}  // namespace

// The words so far, in order of their first occurrence. Blocks are kept with these numbers.
struct WordCorpus::Counted {
  WordList words;
  std::vector<int64_t> counts;

  std::vector<int32_t> add(const WordList& more) {
    std::vector<int32_t> to(static_cast<size_t>(more.size()));
    for (int32_t i = 0; i < more.size(); ++i) to[static_cast<size_t>(i)] = words.add(more[i]);
    counts.resize(static_cast<size_t>(words.size()));
    return to;
  }
  // Keeps memory bounded on text of unbounded variety, where words seen once are mostly noise.
  void forget_rare() {
    for (int64_t rare = 1; counts.size() > kMaxWords / 2; ++rare) {
      Counted kept;
      for (int32_t i = 0; i < words.size(); ++i) {
        if (counts[static_cast<size_t>(i)] <= rare) continue;
        kept.words.add(words[i]);
        kept.counts.push_back(counts[static_cast<size_t>(i)]);
      }
      *this = std::move(kept);
    }
  }
};

WordCorpus::WordCorpus(const Corpus& corpus, const Segmenter& segmenter,
                       const WordCorpusOptions& options)
    : corpus_(corpus), segmenter_(segmenter), options_(options) {
  check(options_.min_count > 0, "words: expected min_count above 0, got ", options_.min_count);
  Counted all;
  count(all);
  number(all);
}

void WordCorpus::count(Counted& all) {
  int64_t room = options_.kept_bytes / static_cast<int64_t>(sizeof(int32_t));
  for (int64_t first = 0; first < corpus_.blocks(); first += kBlocksAtOnce) {
    std::vector<CutBlock> cut(
        static_cast<size_t>(std::min(kBlocksAtOnce, corpus_.blocks() - first)));
    parallel_for(static_cast<int64_t>(cut.size()), 1, [&](int64_t i, int64_t) {
      cut[static_cast<size_t>(i)] = cut_block(corpus_, first + i, segmenter_, options_.lower_case);
    });
    for (CutBlock& block : cut) {
      const std::vector<int32_t> to = all.add(block.words);
      renumber(block.numbers, to);
      int64_t words = 0;
      for (const int32_t n : block.numbers) {
        if (n == kLineEnd) continue;
        ++all.counts[static_cast<size_t>(n)];
        ++words;
      }
      block_words_.push_back(words);
      seen_ += words;
      room -= static_cast<int64_t>(block.numbers.size());
      if (room >= 0) kept_.push_back(std::move(block.numbers));
    }
    if (all.counts.size() > kMaxWords) {
      all.forget_rare();
      kept_.clear();  // their numbers are no longer those of the words
      room = -1;
    }
  }
}

void WordCorpus::number(const Counted& all) {
  std::vector<int32_t> order(all.counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::erase_if(order,
                [&](int32_t i) { return all.counts[static_cast<size_t>(i)] < options_.min_count; });
  check(!order.empty(), "words: expected text in which some word occurs ", options_.min_count,
        " times, got ", seen_, " words, ", all.words.size(),
        " different ones; add text or lower the count");
  std::ranges::sort(order, [&](int32_t a, int32_t b) {
    const int64_t x = all.counts[static_cast<size_t>(a)], y = all.counts[static_cast<size_t>(b)];
    return x != y ? x > y : all.words[a] < all.words[b];
  });
  std::vector<int32_t> to(all.counts.size(), kRare);
  for (const int32_t i : order) {
    to[static_cast<size_t>(i)] = words_.add(all.words[i]);
    counts_.push_back(all.counts[static_cast<size_t>(i)]);
  }
  total_ = std::accumulate(counts_.begin(), counts_.end(), int64_t{0});
  parallel_for(static_cast<int64_t>(kept_.size()), 1,
               [&](int64_t i, int64_t) { renumber(kept_[static_cast<size_t>(i)], to); });
}

std::vector<int32_t> WordCorpus::block(int64_t block) const {
  if (static_cast<size_t>(block) < kept_.size()) return kept_[static_cast<size_t>(block)];
  CutBlock cut = cut_block(corpus_, block, segmenter_, options_.lower_case);
  std::vector<int32_t> to(static_cast<size_t>(cut.words.size()));
  for (int32_t i = 0; i < cut.words.size(); ++i)
    to[static_cast<size_t>(i)] = words_.find(cut.words[i]).value_or(kRare);
  renumber(cut.numbers, to);
  return std::move(cut.numbers);
}

}  // namespace ink
