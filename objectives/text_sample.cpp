// Counting words of tokenized documents.
#include "objectives/text_sample.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <span>

#include "tensor/error.h"
#include "text/normalize.h"
#include "text/utf8.h"

namespace ink {
namespace {

// Calls f(ids) for every word of a document.
template <class F>
void for_each_word(const TokenDocument& document, const F& f) {
  for (const TokenSentence& s : document) {
    for (size_t begin = 0, end = 0; begin < s.ids.size(); begin = end) {
      for (end = begin + 1; end < s.ids.size() && s.continues[end];) ++end;
      f(std::span<const int32_t>(s.ids).subspan(begin, end - begin));
    }
  }
}

bool is_chinese(std::string_view token) {
  const std::u32string characters = decode_utf8(token);
  return characters.size() == 1 && is_bert_han(characters[0]);
}

}  // namespace

SegmentedShare segmented_share(const std::vector<TokenDocument>& sample,
                               const Vocabulary& vocabulary) {
  SegmentedShare share;
  for (const TokenDocument& document : sample) {
    for_each_word(document, [&](std::span<const int32_t> word) {
      if (!is_chinese(vocabulary.token(word[0]))) return;
      const auto size = static_cast<int64_t>(word.size());
      share.characters += size;
      share.in_words += size > 1 ? size : 0;
    });
  }
  return share;
}

void check_segmented(const std::vector<TokenDocument>& sample, const Vocabulary& vocabulary) {
  constexpr int64_t kEnough = 100;  // fewer, in a text of another language, may well be no words
  const SegmentedShare share = segmented_share(sample, vocabulary);
  check(share.characters < kEnough || share.in_words > 0,
        "pre-training: whole words are to be selected, but none of the first ", share.characters,
        " Chinese characters of the text stands in a word of the dictionary; name a dictionary of ",
        "such words, or select single tokens (mlm)");
}

std::string check_known(const std::vector<TokenDocument>& sample, const Vocabulary& vocabulary) {
  int64_t tokens = 0, unknown = 0;
  for (const TokenDocument& document : sample) {
    for (const TokenSentence& sentence : document) {
      tokens += std::ssize(sentence.ids);
      unknown += std::ranges::count(sentence.ids, vocabulary.unk());
    }
  }
  const double share = tokens == 0 ? 0 : double(unknown) / double(tokens);
  check(share <= 0.5, "pre-training: expected a vocabulary that knows the text, got one for which ",
        unknown, " of its first ", tokens, " tokens are unknown; make one of it (inkstone vocab), ",
        "or name another");
  if (share < 0.02) return {};
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                "%.1f %% of the first %ld tokens of the text are unknown to the vocabulary",
                100 * share, static_cast<long>(tokens));
  return text.data();
}

std::string coverage_notice(const std::vector<TokenDocument>& sample, const SimilarWords& similar) {
  int64_t words = 0, covered = 0;
  for (const TokenDocument& document : sample) {
    for_each_word(document, [&](std::span<const int32_t> word) {
      ++words;
      covered += !similar.of(word).empty();
    });
  }
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                "%.1f %% of the first %ld words of the text have a similar word; of the others, "
                "random words stand in for some",
                words == 0 ? 0.0 : 100 * static_cast<double>(covered) / static_cast<double>(words),
                static_cast<long>(words));
  return text.data();
}

}  // namespace ink
