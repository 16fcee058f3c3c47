// Words of answers, and how many two of them have in common.
#include "tasks/answer_scores.h"

#include <algorithm>
#include <iterator>

#include "text/normalize.h"
#include "text/utf8.h"

namespace ink {
namespace {

bool is_article(const std::string& word) { return word == "a" || word == "an" || word == "the"; }

double f1_of(std::vector<std::string> a, std::vector<std::string> b) {
  if (a.empty() || b.empty()) return a.empty() && b.empty() ? 1 : 0;
  std::ranges::sort(a);
  std::ranges::sort(b);
  std::vector<std::string> common;
  std::ranges::set_intersection(a, b, std::back_inserter(common));
  return 2.0 * static_cast<double>(common.size()) / static_cast<double>(a.size() + b.size());
}

}  // namespace

std::vector<std::string> answer_words(std::string_view answer) {
  std::vector<std::string> words;
  std::u32string word;
  const auto end = [&] {
    if (!word.empty() && !is_article(encode_utf8(word))) words.push_back(encode_utf8(word));
    word.clear();
  };
  // Blanks stand around Han characters then.
  const Normalized text = normalize(decode_utf8(answer), {.strip_accents = false});
  for (const char32_t c : text.text) {
    if (is_blank(c))
      end();
    else if (!is_punctuation(c))
      word += c;
  }
  end();
  return words;
}

AnswerScore score_answer(std::string_view said, std::span<const std::string> truths) {
  AnswerScore best;
  const std::vector<std::string> words = answer_words(said);
  for (const std::string& truth : truths) {
    const std::vector<std::string> wanted = answer_words(truth);
    best.exact = std::max(best.exact, words == wanted ? 1.0 : 0.0);
    best.f1 = std::max(best.f1, f1_of(words, wanted));
  }
  return best;
}

}  // namespace ink
