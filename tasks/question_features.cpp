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

// The first answer that stands in the context; null without one.
const Answer* first_place(const Question& question) {
  for (const Answer& answer : question.answers)
    if (answer.place.size() > 0) return &answer;
  return nullptr;
}

// cls: the token that stands for a window without the answer
std::vector<int32_t> targets_of(const Encoding& window, const Answer* answer, int32_t cls) {
  std::vector<int32_t> targets(window.ids.size(), answer ? 0 : kIgnore);
  if (!answer) return targets;
  size_t first = targets.size(), last = 0;
  for (size_t t = 0; t < targets.size(); ++t) {
    const Span at = window.offsets[t];
    if (window.texts[t] != 1 || at.end <= answer->place.begin || at.begin >= answer->place.end)
      continue;
    first = std::min(first, t);
    last = t;
  }
  const bool whole = first < targets.size() && window.offsets[first].begin <= answer->place.begin &&
                     window.offsets[last].end >= answer->place.end;
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
        " tokens, which leave no room for its context in a max_length of ", tokens.max_length);
  std::vector<Feature> windows;
  for (Encoding& window : tokens.tokenizer.encode_windows(question.text, *question.context,
                                                          {.max_length = tokens.max_length,
                                                          .truncation = Truncation::second,
                                                          .stride = room / 2})) {
    std::vector<int32_t> targets =
        targets_of(window, first_place(question), tokens.tokenizer.vocabulary().cls());
    windows.push_back(
        {.encoding = std::move(window), .targets = std::move(targets), .line = number + 1});
  }
  return windows;
}

}  // namespace

QuestionFeatures question_features(const Questions& questions, const TokenOptions& tokens,
                                   bool answered) {
  std::vector<std::vector<Feature>> windows(questions.size());
  for (size_t i = 0; i < questions.size() && answered; ++i)
    check(first_place(questions.items[i]), "", questions.source, ": question ",
          in_quotes(questions.items[i].id), ": expected an answer that stands in the context");
  parallel_for(static_cast<int64_t>(questions.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      windows[static_cast<size_t>(i)] =
          windows_of(questions.items[static_cast<size_t>(i)], i, tokens, questions.source);
  });
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
