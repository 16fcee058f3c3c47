// What the beginning of a text says about an objective: whether the vocabulary knows it, there are
// words to select, and similar ones to put in their place.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "objectives/instance.h"
#include "objectives/similar_words.h"
#include "text/vocabulary.h"

namespace ink {

// Of Chinese characters, how many stand in words of two or more.
struct SegmentedShare {
  int64_t characters = 0, in_words = 0;
};
SegmentedShare segmented_share(const std::vector<TokenDocument>& sample,
                               const Vocabulary& vocabulary);

// Raises Error where a text has a hundred Chinese characters or more, and none of them stands in a
// word: whole words would be single characters.
void check_segmented(const std::vector<TokenDocument>& sample, const Vocabulary& vocabulary);

// Raises Error where the vocabulary has no name for more than half of the tokens; from a fiftieth
// on it is a sentence for people, else empty.
std::string check_known(const std::vector<TokenDocument>& sample, const Vocabulary& vocabulary);

// "37.2 % of the first 12,000 words have a similar word, …".
std::string coverage_notice(const std::vector<TokenDocument>& sample, const SimilarWords& similar);

}  // namespace ink
