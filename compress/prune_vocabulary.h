// Pruning the vocabulary: which tokens does a text need? The model and its tokenizer keep those.
//
//   prune_vocabulary({.model = "xlm-roberta-base", .out = "smaller", .texts = {"corpus"}});
//
// Most of a multilingual model is its table of word embeddings, of which a task in one language
// uses a tenth. Nothing is trained and nothing is approximated: on texts whose tokens all stay, the
// smaller model computes the same bit for bit (compress/vocabulary_surgery.h, text/token_roles.h).
// The pruned folder is an ordinary one: it can be fine-tuned, distilled and pruned again.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "compress/kept_tokens.h"
#include "compress/token_counts.h"
#include "compress/vocabulary_pruning_config.h"
#include "nn/model_folder.h"
#include "text/reduced_tokenizer.h"

namespace ink {

struct VocabularyPruneOptions {
  std::filesystem::path model, out;
  std::vector<std::filesystem::path> texts = {};  // files, or folders of .txt files
  std::filesystem::path tokens = {};              // or beside them: tokens, ids or counts
  VocabularyPruningConfig config = {};
};

// What was chosen, before anything is cut.
struct VocabularyPlan {
  Tokenizer before, after;
  KeptTokens kept;
  TokenCounts counts;
  std::optional<TextComparison> comparison;  // of the texts, where there are some
};

struct VocabularyPruneResult {
  struct Kind {
    int64_t kept = 0, dropped = 0;
  };
  struct Dropped {
    std::string token;
    int64_t count = 0;
  };
  int64_t tokens_before = 0, tokens_after = 0;
  int64_t rows_before = 0;  // of the table; more than tokens_before where it is padded
  std::array<Kind, std::size(kTokenKinds)> kinds = {};
  int64_t counted = 0, counted_kept = 0;  // occurrences in texts and counts
  std::vector<Dropped> most_frequent_dropped = {};
  std::optional<TextComparison> comparison = {};
  int64_t parameters_before = 0, parameters_after = 0;

  double coverage() const;  // share of the counted occurrences whose tokens stay
};

// Chooses, and cuts a tokenizer to see what it makes of the texts; writes nothing. `notice` is
// warned where more is unknown than before. Raises Error for a prune_lm_head that the model cannot
// satisfy and as choose_tokens does.
VocabularyPlan plan_vocabulary(const VocabularyPruneOptions& options, const Model& model,
                               const Notice& notice = {});
// Writes model, tokenizer and vocabulary_pruning.json to options.out. `original` is what `plan` was
// made for, `model` the same or one with other layers (compress/prune_pipeline.h).
VocabularyPruneResult save_with_vocabulary(const VocabularyPruneOptions& options,
                                           const VocabularyPlan& plan, const Model& original,
                                           const Model& model, const Notice& notice = {});

// Both. Raises Error where `out` is the model's own folder or holds a model.
VocabularyPruneResult prune_vocabulary(const VocabularyPruneOptions& options,
                                       const Notice& notice = {});

}  // namespace ink
