// The files of --configurations of `inkstone prune`: what is pruned, by each file's config_class.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compress/pruning_config.h"
#include "compress/vocabulary_pruning_config.h"

namespace ink::cli {

struct PruningConfigurations {
  std::optional<PruningConfig> transformer;
  std::optional<VocabularyPruningConfig> vocabulary;
};

// A file without a config_class is of the class that `mode` (vocabulary or transformer) prunes by.
// TextPruner's GeneralConfig is read too; what it says, --out and --device say here, and `notice`
// tells so. Raises UsageError for what does not belong to the mode: a class of another one, one
// class twice, in mode transformer or pipeline none for the transformer.
PruningConfigurations read_configurations(const std::vector<std::string>& files,
                                          const std::string& mode);

}  // namespace ink::cli
