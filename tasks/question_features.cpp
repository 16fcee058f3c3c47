// Windows of contexts, and the tokens that answers begin and end with.
#include "tasks/question_features.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/keys.h"
#include "tensor/ops.h"
#include "tensor/parallel.h"

namespace ink {
namespace {

constexpr int64_t kAddedTokens = 4;  // at most: <s> question </s></s> context </s>
constexpr int32_t kStarts = 1, kEnds = 2;

// Where the first answer that stands in the context does; empty without one.
Span first_place(const Question& question) {
  for (const Answer& answer : question.answers)
    if (answer.place.size() > 0) return answer.place;
  return {};
}

// Whether token t of a window is of the context and of this part of it.
bool touches(const Encoding& window, size_t t, const Span& part) {
  const Span at = window.offsets[t];
  return window.texts[t] == 1 && at.end > part.begin && at.begin < part.end;
}

// From the first to the last character of the place that is part of a token: a blank at its edge is
// of none, nor is what normalization deletes.
Span within_tokens(const Span& place, const std::vector<Encoding>& windows) {
  Span part{place.end, place.begin};
  for (const Encoding& window : windows)
    for (size_t t = 0; t < window.ids.size(); ++t) {
      if (!touches(window, t, place)) continue;
      part.begin = std::min(part.begin, std::max(place.begin, window.offsets[t].begin));
      part.end = std::max(part.end, std::min(place.end, window.offsets[t].end));
    }
  return part.size() > 0 ? part : Span{};
}

// cls: the token that stands for a window without the answer
std::vector<int32_t> targets_of(const Encoding& window, const Span& answer, int32_t cls) {
  std::vector<int32_t> targets(window.ids.size(), answer.size() > 0 ? 0 : kIgnore);
  if (answer.size() == 0) return targets;
  size_t first = targets.size(), last = 0;
  for (size_t t = 0; t < targets.size(); ++t) {
    if (!touches(window, t, answer)) continue;
    first = std::min(first, t);
    last = t;
  }
  const bool whole = first < targets.size() && window.offsets[first].begin <= answer.begin &&
                     window.offsets[last].end >= answer.end;
  if (!whole)
    first = last = static_cast<size_t>(std::ranges::find(window.ids, cls) - window.ids.begin());
  targets[first] += kStarts;
  targets[last] += kEnds;
  return targets;
}

std::vector<Feature> windows_of(const Question& question, int64_t number,
                                const TokenOptions& tokens, const std::string& source) {
  const int64_t asked = tokens.tokenizer.pieces(question.text).size(),
                room = tokens.max_length - asked - kAddedTokens;
  check(room >= 2, "", source, ": question ", in_quotes(question.id), ": has ", asked,
        " tokens, which leave no room for its context in a max_length of ", tokens.max_length,
        "; raise it (--max-length), or shorten the question");
  std::vector<Encoding> encoded = tokens.tokenizer.encode_windows(
      question.text, *question.context,
      {.max_length = tokens.max_length, .truncation = Truncation::second, .stride = room / 2});
  const Span answer = within_tokens(first_place(question), encoded);
  std::vector<Feature> windows;
  for (Encoding& window : encoded) {
    std::vector<int32_t> targets = targets_of(window, answer, tokens.tokenizer.vocabulary().cls());
    windows.push_back(
        {.encoding = std::move(window), .targets = std::move(targets), .line = number + 1});
  }
  return windows;
}

bool holds_answer(const Feature& window) {
  for (size_t t = 0; t < window.targets.size(); ++t)
    if (window.encoding.texts[t] == 1 && window.targets[t] > 0) return true;
  return false;
}

void check_answered(const Question& question, const std::vector<Feature>& windows,
                    const std::string& source) {
  const std::string where = source + ": question " + in_quotes(question.id);
  check(first_place(question).size() > 0, "", where,
        ": expected an answer that stands in the context");
  check(std::ranges::any_of(windows, holds_answer), "", where,
        ": its answer is longer than what is read of the context at once; raise max_length "
        "(--max-length), or leave the question out");
}

}  // namespace

QuestionFeatures question_features(const Questions& questions, const TokenOptions& tokens,
                                   bool answered) {
  std::vector<std::vector<Feature>> windows(questions.size());
  parallel_for(static_cast<int64_t>(questions.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      windows[static_cast<size_t>(i)] =
          windows_of(questions.items[static_cast<size_t>(i)], i, tokens, questions.source);
  });
  for (size_t i = 0; i < windows.size() && answered; ++i)
    check_answered(questions.items[i], windows[i], questions.source);
  std::vector<Feature> all;
  std::vector<int64_t> question;
  for (size_t i = 0; i < windows.size(); ++i)
    for (Feature& window : windows[i]) {
      all.push_back(std::move(window));
      question.push_back(static_cast<int64_t>(i));
    }
  return {Features(std::move(all)), std::move(question)};
}

AnswerEnds answer_ends(const FeatureBatch& batch) {
  const int64_t B = batch.inputs.sequences();
  const int32_t *target = batch.labels.data<int32_t>(),
                *offset = batch.inputs.offsets.data<int32_t>();
  std::vector<int32_t> starts(static_cast<size_t>(B), kIgnore), ends = starts;
  for (int64_t b = 0; b < B; ++b)
    for (int32_t t = offset[b]; t < offset[b + 1]; ++t) {
      if (target[t] == kIgnore) continue;
      if (target[t] & kStarts) starts[static_cast<size_t>(b)] = t - offset[b];
      if (target[t] & kEnds) ends[static_cast<size_t>(b)] = t - offset[b];
    }
  return {from(starts), from(ends)};
}

}  // namespace ink
