// VocabularyPruningConfig: which tokens stay, with the keys of TextPruner's class of that name.
//
//   {"config_class": "VocabularyPruningConfig", "min_count": 1}
//   {"target_size": 8000, "characters": "seen"}
//
// Three rules say which of the tokens that a text has been cut into stay; one of them is in force:
//
//   min_count     those that occur so often (TextPruner's rule, and the default: 1)
//   target_size   the most frequent, so that the vocabulary has just this size in the end
//   coverage      the most frequent, until they are this share of all occurrences
//
// Whatever the rule says, tokens stay that the tokenizer cannot do without (text/token_roles.h).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tensor/json.h"

namespace ink {

// "auto": the output layer over the vocabulary is cut where there is one; true: there must be one;
// false: there must be none, as a layer that kept its size would not fit the smaller vocabulary.
enum class LmHeadPruning : uint8_t { automatic, required, refused };

// Tokens of one character (WordPiece and Unigram) that stay although the rule would drop them, so
// that words whose tokens go can still be spelled. "none" is the default, as in TextPruner: the
// text itself needs none with min_count 1, and three quarters of a Chinese vocabulary are such
// tokens. "seen": those that spell what occurs in the text, each where it stands in its word;
// "all": all.
enum class KeptCharacters : uint8_t { none, seen, all };

struct VocabularyPruningConfig {
  int64_t min_count = 1;
  LmHeadPruning prune_lm_head = LmHeadPruning::automatic;
  int64_t target_size = 0;  // 0 (null): not the rule
  double coverage = 0;      // above 0 to 1; 0 (null): not the rule
  KeptCharacters characters = KeptCharacters::none;
  std::vector<std::string> additional_tokens = {};  // stay too
  std::vector<int64_t> additional_token_ids = {};

  // Raises Error for unknown keys and values, and for two rules at once.
  static VocabularyPruningConfig from_json(const Json& json);
  Json to_json() const;
};

}  // namespace ink
