// --objective and the options that belong to it, the same for every verb that corrupts text.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "objectives/objective.h"
#include "text/segmenter.h"
#include "text/tokenizer.h"

namespace ink::cli {

struct ObjectiveOptions {
  std::string objective = "wwm", ngram = "0.4,0.3,0.2,0.1", replace = "similar";
  std::vector<std::string> similar = {};
  std::string pert_label = "inverse", granularity = "no-limit", predict = "partial",
              space = "local";
  double scale = 1;
  Objective values = {};  // of other options that are numbers
};

void declare_objective(Command& command, ObjectiveOptions& options);

// Raises UsageError for unknown names, for combinations that make no sense and for options that say
// nothing about this objective.
Objective objective_of(const ObjectiveOptions& options, const Command& command);

// Of the files of --similar.
SimilarWords similar_words_of(const ObjectiveOptions& options, const Tokenizer& tokenizer);

// What whole words need: the segmenter of a dictionary, or of the usual one if none is named.
std::optional<Segmenter> segmenter_for(const Objective& objective, const std::string& dictionary);

}  // namespace ink::cli
