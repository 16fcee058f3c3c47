// How near an answer is to a true one (Rajpurkar et al. 2016).
//
// Both are compared as words: in lower case, without punctuation and the articles a, an and the; a
// Han character is a word of its own.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

std::vector<std::string> answer_words(std::string_view answer);

struct AnswerScore {
  double exact = 0;  // 1 where the words are the same
  double f1 = 0;  // 2·common/(words of one + words of the other), words counted as often as there
};

// The best of the true answers, for each of the two.
AnswerScore score_answer(std::string_view said, std::span<const std::string> truths);

}  // namespace ink
