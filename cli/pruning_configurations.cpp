// The files of --configurations of `inkstone prune`: what is pruned, by each file's config_class.
#include "cli/pruning_configurations.h"

#include <array>

#include "cli/terminal.h"
#include "cli/values.h"
#include "tensor/file.h"
#include "tensor/keys.h"

namespace ink::cli {
namespace {

enum Class : uint8_t { kGeneral, kVocabulary, kTransformer };

Class class_of(const Json& json, const std::string& mode) {
  if (json.has("config_class"))
    return static_cast<Class>(
        choice(json, "config_class",
               {"GeneralConfig", "VocabularyPruningConfig", "TransformerPruningConfig"}));
  check(mode != "pipeline", "", json.where(),
        ": expected a config_class, VocabularyPruningConfig or TransformerPruningConfig, as two "
        "things are pruned");
  return mode == "vocabulary" ? kVocabulary : kTransformer;
}

void read_general(const Json& json) {
  check_keys(json, {"use_device", "output_dir", "config_class"});
  notice("prune: " + json.where() + ": --out says where the result goes, --device where it runs");
}

template <class Config>
void put(std::optional<Config>& place, const Json& json) {
  check(!place.has_value(), "", json.where(),
        ": expected one file of each class, got a second one");
  place = Config::from_json(json);
}

}  // namespace

PruningConfigurations read_configurations(const std::vector<std::string>& files,
                                          const std::string& mode) {
  PruningConfigurations all;
  for (const std::string& file : files)
    as_usage([&] {
      const Json json = parse_json(read_file(file, size_t{1} << 20), file);
      const Class kind = class_of(json, mode);
      if (kind == kGeneral) return read_general(json);
      const bool vocabulary = kind == kVocabulary;
      check(mode == "pipeline" || vocabulary == (mode == "vocabulary"), "", json.where(),
            ": prunes the ", vocabulary ? "vocabulary" : "transformer", ", but --mode is ", mode,
            "; expected another file or --mode pipeline for both");
      vocabulary ? put(all.vocabulary, json) : put(all.transformer, json);
    });
  if (mode != "vocabulary" && !all.transformer)
    throw UsageError("--configurations: expected a file of class TransformerPruningConfig");
  if (mode != "transformer" && !all.vocabulary) all.vocabulary.emplace();
  return all;
}

}  // namespace ink::cli
