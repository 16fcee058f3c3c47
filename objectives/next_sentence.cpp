// Chunks of a document, split, paired and truncated.
#include "objectives/next_sentence.h"

#include <algorithm>

#include "tensor/error.h"

namespace ink {
namespace {

// [first, last] inclusive, as Python's randint.
size_t draw_between(size_t first, size_t last, Draws& draws) {
  return first + static_cast<size_t>(draws.below(last - first + 1));
}

// Sentences [begin, end) as one.
TokenSentence concatenated(const TokenDocument& document, size_t begin, size_t end) {
  TokenSentence all;
  for (size_t i = begin; i < end; ++i) append(all, document[i]);
  return all;
}

// B when it is not the continuation: sentences of another document until `wanted` tokens.
TokenSentence random_next(std::span<const TokenDocument> documents, size_t self, size_t wanted,
                          Draws& draws) {
  size_t other = draw_between(0, documents.size() - 2, draws);
  if (other >= self) ++other;
  const TokenDocument& document = documents[other];
  TokenSentence b;
  for (size_t i = draw_between(0, document.size() - 1, draws); i < document.size(); ++i) {
    append(b, document[i]);
    if (b.ids.size() >= wanted) break;
  }
  return b;
}

// Drops tokens of the longer one (of b when they are equal) until both together fit.
void truncate_pair(TokenSentence& a, TokenSentence& b, size_t most, Draws& draws) {
  struct Cut {
    TokenSentence& of;
    size_t begin, end;
    size_t size() const { return end - begin; }
  } cut_a{a, 0, a.ids.size()}, cut_b{b, 0, b.ids.size()};
  while (cut_a.size() + cut_b.size() > most) {
    Cut& longer = cut_a.size() > cut_b.size() ? cut_a : cut_b;
    if (draws.uniform() < 0.5) {
      ++longer.begin;
    } else {
      --longer.end;
    }
  }
  for (const Cut& cut : {cut_a, cut_b}) {
    const auto keep = [&](auto& values) {
      values.resize(cut.end);
      values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(cut.begin));
    };
    keep(cut.of.ids);
    keep(cut.of.continues);
  }
}

void pairs_of_document(std::span<const TokenDocument> documents, size_t self,
                       const PairOptions& options, Draws& draws, std::vector<Instance>& out) {
  const TokenDocument& document = documents[self];
  const auto most = static_cast<size_t>(options.max_tokens) - 3;
  size_t target = most;
  if (draws.uniform() < options.short_probability) target = draw_between(2, most, draws);

  size_t first = 0, tokens = 0;  // the chunk is [first, i]
  for (size_t i = 0; i < document.size(); ++i) {
    tokens += document[i].ids.size();
    if (i + 1 < document.size() && tokens < target) continue;
    const size_t sentences = i + 1 - first;
    const size_t split = sentences == 1 ? 1 : draw_between(1, sentences - 1, draws);
    TokenSentence a = concatenated(document, first, first + split), b;
    const bool alone = documents.size() == 1;  // there is no B but the one that follows
    const bool random = !alone && (sentences == 1 || draws.uniform() < 0.5);
    if (random) {
      const size_t wanted = target > a.ids.size() ? target - a.ids.size() : 0;
      b = random_next(documents, self, wanted, draws);
      i -= sentences - split;  // what followed A is read again
    } else {
      b = concatenated(document, first + split, i + 1);
    }
    first = i + 1;
    tokens = 0;
    if (b.ids.empty()) continue;
    truncate_pair(a, b, most, draws);
    out.push_back(make_instance(a, &b, options.tokens));
    out.back().pair_label = random ? 1 : 0;
  }
}

}  // namespace

std::vector<Instance> next_sentence_pairs(std::span<const TokenDocument> documents,
                                          const PairOptions& options, Draws& draws) {
  check(options.max_tokens >= 5, "next sentence: expected max_tokens of 5 or more, got ",
        options.max_tokens);
  std::vector<Instance> instances;
  for (size_t i = 0; i < documents.size(); ++i) {
    check(!documents[i].empty(), "next sentence: document ", i, " has no sentences");
    pairs_of_document(documents, i, options, draws, instances);
  }
  return instances;
}

}  // namespace ink
