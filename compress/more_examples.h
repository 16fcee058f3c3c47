// What a teacher alone labels: further texts, and changed copies of all texts.
//
// Both stand behind the labelled examples, with kIgnore for a label: the loss between logits and
// the matches read them, the one with true labels leaves them out.
#pragma once
#include <filesystem>
#include <memory>

#include "compress/augmentation.h"
#include "tasks/task.h"

namespace ink {

struct MoreExamples {
  std::filesystem::path unlabelled = {};  // a text a line, behind a tab the second of a pair
  Augmentation augmentation = {};
  bool any() const { return !unlabelled.empty() || augmentation.copies > 0; }
};

// Raises Error, with file and line, for a file without texts and for one that is not UTF-8, and
// where tokens are to be masked and there is no token for that.
std::shared_ptr<const Features> with_more(std::shared_ptr<const Features> features,
                                          const MoreExamples& more, const TokenOptions& tokens,
                                          uint64_t seed);

}  // namespace ink
