// The comma list of --objective: mlm or wwm, alone or with nsp.
#pragma once
#include <optional>
#include <string>

#include "text/segmenter.h"

namespace ink::cli {

struct ObjectiveNames {
  bool whole_words = true;  // wwm; false: mlm
  bool next_sentence = false;
};

inline constexpr const char* kObjectiveHelp =
    "mlm (masked characters and pieces) or wwm (masked whole words), with ,nsp for next-sentence "
    "prediction";

// Raises UsageError for unknown names and combinations that make no sense.
ObjectiveNames parse_objectives(const std::string& list);

// What whole words need: the segmenter of a dictionary, or of the usual one if none is named.
std::optional<Segmenter> segmenter_for(const ObjectiveNames& objective,
                                       const std::string& dictionary);

}  // namespace ink::cli
