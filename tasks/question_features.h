// Questions as sequences [CLS] question [SEP] window of the context [SEP], and where answers lie.
//
// A context that does not fit comes as several windows, each half a window into the one before it.
// Targets are of tokens: 1 where the answer starts, 2 where it ends, 3 both, else 0. Characters at
// its edges that are part of no token, such as blanks, do not count. In a window that does not hold
// the answer it is [CLS] (Devlin et al. 2019); without an answer that stands in the context they
// are kIgnore.
#pragma once
#include <cstdint>
#include <vector>

#include "tasks/features.h"
#include "tasks/questions.h"
#include "tasks/task.h"

namespace ink {

struct QuestionFeatures {
  Features windows;
  std::vector<int64_t> question;  // of each window
};

// Raises Error where a question leaves no room for its context in max_length tokens, and with
// `answered` where no answer of it stands in the context, or none of the windows holds it.
QuestionFeatures question_features(const Questions& questions, const TokenOptions& tokens,
                                   bool answered);

// Where the answers of a batch start and end in their sequences: i32 (B) both, kIgnore where there
// is none.
struct AnswerEnds {
  Tensor starts, ends;
};
AnswerEnds answer_ends(const FeatureBatch& batch);

}  // namespace ink
