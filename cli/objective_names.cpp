// Parsing of --objective.
#include "cli/objective_names.h"

#include <sstream>

#include "cli/values.h"
#include "tensor/keys.h"

namespace ink::cli {

ObjectiveNames parse_objectives(const std::string& list) {
  ObjectiveNames names;
  int masks = 0;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');) {
    if (word == "mlm" || word == "wwm") {
      names.whole_words = word == "wwm";
      ++masks;
    } else if (word == "nsp" && !names.next_sentence) {
      names.next_sentence = true;
    } else {
      throw UsageError("--objective: expected mlm or wwm, with or without nsp, got " +
                       in_quotes(list) + suggestion(word, {"mlm", "wwm", "nsp"}));
    }
  }
  if (masks != 1)
    throw UsageError("--objective: expected exactly one of mlm and wwm, got " + in_quotes(list));
  return names;
}

std::optional<Segmenter> segmenter_for(const ObjectiveNames& objective,
                                       const std::string& dictionary) {
  if (!objective.whole_words) return std::nullopt;
  try {
    return Segmenter::load({.dictionary = dictionary});
  } catch (const Error& error) {
    if (!dictionary.empty()) throw;
    fail("", error.message(), "; --objective mlm needs none");
  }
}

}  // namespace ink::cli
